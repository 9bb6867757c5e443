"""Sets Django up when it is imported: what a server of forks loads before it unpickles work that needs models."""

import django

django.setup()
