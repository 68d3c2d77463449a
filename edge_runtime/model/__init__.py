"""Model input to answer: the bundle, the engines that run it, what their outputs mean, and the heat map."""
