"""The demo: a barbershop with five thousand customers, a real campaign, and the shoppers who answer it."""
