"""What has been answered, in one SQLite file beside the findings."""
