"""Certificates for clusters that speak TLS."""

import subprocess
from pathlib import Path


def certificate(folder: Path, name: str) -> dict[str, str]:
    """Makes one that signs itself, for every address that Ray may use for this machine.

    Returns:
        The variables by which Ray takes it for the server, the client and the authority.
    """
    key, cert = folder / f"{name}-key.pem", folder / f"{name}.pem"
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True, timeout=30).stdout.split()
    names = ",".join(["DNS:localhost", "IP:127.0.0.1", *(f"IP:{address}" for address in own)])
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", f"subjectAltName={names}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return {"RAY_TLS_SERVER_CERT": str(cert), "RAY_TLS_SERVER_KEY": str(key), "RAY_TLS_CA_CERT": str(cert)}
