"""AMI over TLS between the service and a real Asterisk: calls come through, and a certificate that is not right is refused."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.load import load_settings
from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.link import LinkState
from cti_bridge.doctor.examination import Report, examine
from cti_bridge.doctor.finding import Severity
from tests.support.ami import running, state_is
from tests.support.authority import Authority, new_authority
from tests.support.pbx import PBX_ROOT, SERVICE, Pbx
from tests.support.pbx_config import changed
from tests.support.pbx_lab import Lab
from tests.support.service import Site, running_service

pytestmark = pytest.mark.pbx

PORT = 5039


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls_pbx(pbx: Pbx, authority: Authority) -> Iterator[Pbx]:
    """The PBX with AMI on a TLS port too, as docs/asterisk.md has it."""
    certificate = pbx.folder / "etc" / "ami.pem"
    write_for_asterisk(certificate, authority.sign("pbx", f"IP:{pbx.network.pbx}"), like=pbx.folder / "etc" / "manager.conf")
    inside = f"/{certificate.relative_to(PBX_ROOT)}"
    lines = f"tlsenable = yes\ntlsbindaddr = {pbx.network.pbx}:{PORT}\ntlscertfile = {inside}\ntlsprivatekey = {inside}\n"
    with changed(pbx, {"manager.conf": {"displayconnects = no\n": f"displayconnects = no\n{lines}"}}):
        yield pbx


def write_for_asterisk(file: Path, text: str, *, like: Path) -> None:
    file.write_text(text)
    file.chmod(0o600)
    os.chown(file, like.stat().st_uid, like.stat().st_gid)


def over_tls(site: Site, authority: Path) -> Site:
    """The site's settings, with TLS."""
    text = site.config.read_text()
    site.config.write_text(
        text.replace(
            f'username = "{SERVICE.username}"',
            f'username = "{SERVICE.username}"\nport = {PORT}\ntls = true\ntls_ca = "{authority}"',
        )
    )
    return site


async def test_call_pops_over_tls(tls_pbx: Pbx, lab: Lab, site: Site, authority: Authority) -> None:
    await lab.only("support", "1001")
    before = tls_pbx.log_size()
    async with running_service(lab, over_tls(site, authority.certificate)) as service:
        await service.connected()
        alice, phone, carrier = await service.agent("1001"), await lab.phone("1001"), await lab.carrier()

        customer = carrier.call("8001", number="02079460018", name="Zoë")
        agent = await phone.next_call()
        pop = await alice.event("pop")
        agent.answer()
        await alice.event("call.answered")
        customer.hang_up()
        ended = await alice.event("call.ended")

    assert pop["call"]["customer_name"] == "Zoë"
    assert (ended["call"]["outcome"], ended["call"]["answered_by"]) == ("answered", ["1001"])
    assert "SSL_shutdown" not in tls_pbx.log_since(before)


async def test_doctor_reads_the_certificate(tls_pbx: Pbx, site: Site, authority: Authority) -> None:
    report = await look(over_tls(site, authority.certificate))

    (tls,) = [finding for finding in report.pbxes[0].findings if finding.code == "connection.tls"]
    assert report.exit_code == 0
    assert tls.what.startswith("TLSv1.")
    assert "the certificate is accepted until" in tls.what


async def test_certificate_that_ends_soon_is_a_finding(tls_pbx: Pbx, site: Site, authority: Authority) -> None:
    with certificate_of(tls_pbx, authority.sign("ends", f"IP:{tls_pbx.network.pbx}", days=3)):
        report = await look(over_tls(site, authority.certificate))

    wrong = [finding.code for finding in report.pbxes[0].findings if finding.severity is not Severity.OK]
    assert wrong == ["connection.certificate_expires"]


@pytest.mark.parametrize(
    ("subject", "told"),
    [("DNS:pbx.example", "is not accepted: "), ("IP:192.0.2.1", "is not accepted: ")],
    ids=["a name only", "another address"],
)
async def test_certificate_of_another_is_refused(tls_pbx: Pbx, site: Site, authority: Authority, subject: str, told: str) -> None:
    with certificate_of(tls_pbx, authority.sign("another", subject)):
        report = await look(over_tls(site, authority.certificate))

    (finding,) = report.pbxes[0].findings
    assert report.exit_code == 2
    assert told in finding.what


async def test_authority_that_did_not_sign_is_refused(tls_pbx: Pbx, site: Site, tmp_path: Path) -> None:
    """By the service too, which then says what to do, and sends no secret."""
    (tmp_path / "other").mkdir()
    other = new_authority(tmp_path / "other")
    settings = load_settings(over_tls(site, other.certificate).config, {})
    client = AmiClient(settings.pbx[0], SERVICE.secret)
    async with running(client):
        await state_is(client, LinkState.DISCONNECTED)

        assert "set tls_ca to the authority that signed it" in client.status().detail
    assert (await look(site)).exit_code == 2


async def look(site: Site) -> Report:
    return await examine(load_settings(site.config, {}), now=datetime.now(UTC), listen_seconds=0)


@contextmanager
def certificate_of(pbx: Pbx, text: str) -> Iterator[None]:
    """The PBX shows another certificate for a while."""
    file = pbx.folder / "etc" / "another.pem"
    write_for_asterisk(file, text, like=pbx.folder / "etc" / "manager.conf")
    with changed(pbx, {"manager.conf": {"ami.pem": "another.pem"}}):
        yield
