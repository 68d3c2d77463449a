"""``python -m tools.deb``: the Debian package, built for any of its architectures on any machine."""
