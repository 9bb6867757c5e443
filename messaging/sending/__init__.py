"""The sending core: claims chunks of the ledger, lets a messenger send them, and knows after any crash what left."""
