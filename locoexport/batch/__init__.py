"""Many clips: what is to be done, one clip's work, what is kept of it, and who shares it out.

No torch and no onnx here; pyarrow and ray are extras that are imported when they are needed.
"""
