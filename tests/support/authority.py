"""A certificate authority for one test run, and the certificates it signs: what an administrator makes with openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """`certificate`: the file to trust it by."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def sign(self, name: str, subject: str, *, days: int = 90) -> str:
        """Certificate and key, in one PEM text, for a `subject` as `IP:127.0.0.1` or `DNS:pbx.example`."""
        key, request, signed = (self.folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={subject}\nextendedKeyUsage=serverAuth\n")
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
        ca = ["-CA", str(self.certificate), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial"]
        _openssl("x509", "-req", "-in", str(request), *ca, "-days", str(days), "-extfile", str(extensions), "-out", str(signed))
        return signed.read_text() + key.read_text()


def new_authority(folder: Path) -> Authority:
    authority = Authority(folder=folder)
    files = ["-keyout", str(folder / "ca.key"), "-out", str(authority.certificate)]
    extensions = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _openssl("req", "-x509", *_KEY, "-days", "90", "-subj", "/CN=Test authority", *extensions, *files)
    return authority


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
