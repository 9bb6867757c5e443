"""What Regulars does, measured in the same minute as the reference it is compared with: ``make bench``."""
