"""The smallest scripts that search with sentence-transformers and FAISS: what ours is held against.

    python benchmarks/peer.py make TEXTS.jsonl[.gz] FOLDER MODEL_DIR     embed the texts; FOLDER/index.faiss, texts.json
    python benchmarks/peer.py ask FOLDER MODEL_DIR "a question"          load both, embed one question, print five texts
    python benchmarks/peer.py serve FOLDER MODEL_DIR                     a question a line in, its milliseconds out

Run by the Python of an environment with sentence-transformers, torch (CPU) and faiss-cpu. Nothing is imported that the
task does not need, and nothing is fetched.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"

import faiss
from sentence_transformers import SentenceTransformer

K = 5


def main() -> None:
    """Do what the first argument says."""
    task, *rest = sys.argv[1:]
    if task == "make":
        make(Path(rest[0]), Path(rest[1]), rest[2])
        return
    folder, model = Path(rest[0]), SentenceTransformer(rest[1], device="cpu")
    index = faiss.read_index(str(folder / "index.faiss"))
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    if task == "ask":
        for text in find(model, index, texts, rest[2]):
            print(text)
        return
    print("ready", flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        find(model, index, texts, line.strip())
        print((time.perf_counter() - started) * 1000.0, flush=True)


def find(model, index, texts, question):
    """The texts nearest to a question."""
    vector = model.encode([question], normalize_embeddings=True)
    _, rows = index.search(vector, K)
    return [texts[row] for row in rows[0]]


def make(source: Path, folder: Path, model: str) -> None:
    """Embed texts and save what `find` needs."""
    import gzip

    data = source.read_bytes()
    lines = (gzip.decompress(data) if source.suffix == ".gz" else data).decode().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    vectors = SentenceTransformer(model, device="cpu").encode(texts, normalize_embeddings=True, batch_size=32)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    folder.mkdir(parents=True, exist_ok=True)
    faiss.write_index(index, str(folder / "index.faiss"))
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")


if __name__ == "__main__":
    main()
