"""What Holdfast costs, as ratios within one run. `make bench` measures, and writes the table in README.md."""
