"""Parts of `bench/documents.py`: real documents, questions over them, hostile files."""
