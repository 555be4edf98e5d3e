"""What is measured, in Prometheus' format, behind a port."""
