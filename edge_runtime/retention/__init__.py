"""How long findings are kept."""
