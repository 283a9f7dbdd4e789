"""Make model folders in the Transformers.js layout, without PyTorch."""
