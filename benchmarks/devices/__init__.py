"""What a board would take, on paper: instructions counted in an emulation, and a processor's model of them."""
