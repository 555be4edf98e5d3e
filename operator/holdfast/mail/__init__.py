"""Mail behind a port: the rendering of ``templates/``, and SMTP."""
