"""What builds the project rather than being it: environments, synthetic radiographs."""
