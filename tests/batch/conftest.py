from batch_fixtures import clips, film, model, settings

__all__ = ["clips", "film", "model", "settings"]
