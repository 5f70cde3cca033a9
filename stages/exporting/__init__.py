"""Networks outside PyTorch: ONNX files, quantised ones, and running them."""
