"""A local inbox: takes every message by SMTP, keeps it in a file, shows it on a page. Loopback only; nothing leaves."""
