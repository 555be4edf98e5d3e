"""The mailer against a real SMTP server."""
