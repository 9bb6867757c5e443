"""Orders and refunds of web shops in our words: pure, from their JSON to what a till would say.

What counts is what the goods cost after discounts, as the shop states its prices; shipping, and tax on top of prices, earn nothing.
"""
