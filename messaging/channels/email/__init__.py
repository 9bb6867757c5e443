"""E-mail: by SMTP over our own pooled connections, or through a provider's API."""
