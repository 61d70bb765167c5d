"""ONNX files, read into chains of layers. Nothing outside of this room imports onnx."""
