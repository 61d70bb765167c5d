"""Models of torch, read into chains of layers. Nothing outside of this room imports torch."""
