"""How the machine itself does: its temperature, its power supply, and whether it holds its processor back."""
