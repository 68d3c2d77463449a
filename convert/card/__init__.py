"""The model card: what the shipped bundle does on the published test split, measured, and the page that says it."""
