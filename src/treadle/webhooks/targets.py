"""The rules for webhook targets: the URLs and addresses that may be contacted."""

from __future__ import annotations

import ipaddress
import socket

import httpx
from msgspec import Struct

from treadle.errors import UnprocessableError
from treadle.project.webhooks import WebhookConfig

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_TOLD = 80


class Targets(Struct, frozen=True):
    """Decide which targets are allowed: once for the URL, and again for every resolved address of each connection."""

    config: WebhookConfig = WebhookConfig()
    allow_private: bool = False

    def check(self, url: str) -> None:
        """Raise UnprocessableError with the reason if ``url`` is not allowed."""
        if refusal := self.refusal(url):
            raise UnprocessableError(refusal, field="webhook")

    def refusal(self, url: str) -> str | None:
        """The reason why ``url`` itself is not an allowed target, or None. Its addresses are checked on connecting."""
        if not url or len(url) > self.config.max_url_length:
            return f"Invalid webhook: must have 1 to {self.config.max_url_length} characters, has {len(url)}"
        if any(character.isspace() or not character.isprintable() for character in url) and ":" in url:
            return "Invalid webhook: a URL holds no spaces and no control characters"
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            return f"Invalid webhook: {error}"
        if parsed.is_relative_url:
            return self._relative(url)
        return self._refused_scheme(parsed) or self._refused_place(parsed) or self._refused_host(parsed.host)

    def address_refusal(self, address: Address) -> str | None:
        """The reason why ``address`` is not allowed, or None."""
        if self.allow_private:
            return None
        name = next((name for inner in _embedded(address) if (name := _range_of(inner))), None)
        if name is None or (name == "loopback" and self.config.loopback):
            return None
        return f"Webhook host blocked: {name} IP range"

    def _relative(self, url: str) -> str | None:
        """Check a path on this server. Allowed for projects with their own routes that enabled it."""
        if self.config.loopback and url.startswith("/") and not url.startswith("//"):
            return None
        return "Invalid webhook hostname ''"

    def _refused_scheme(self, url: httpx.URL) -> str | None:
        allowed = ("https",) if self.config.require_https else ("http", "https")
        if url.scheme in allowed:
            return None
        return f"Webhook host blocked: scheme {url.scheme[:_TOLD]!r} not allowed"

    def _refused_place(self, url: httpx.URL) -> str | None:
        host, port = _plain(url.host), {"http": 80, "https": 443}[url.scheme] if url.port is None else url.port
        if not host:
            return "Invalid webhook hostname ''"
        if not 1 <= port <= 65535:
            return f"Invalid webhook port {port}"
        if self.config.ports is not None and port not in self.config.ports:
            return f"Webhook host blocked: port {port} is not in allowed_ports"
        if self.config.domains is not None and not any(_matches(host, domain) for domain in self.config.domains):
            return f"Webhook host blocked: {host[:_TOLD]!r} is not in allowed_domains"
        return None

    def _refused_host(self, host: str) -> str | None:
        literal = address_of(host)
        if literal is not None:
            return self.address_refusal(literal)
        local = _plain(host) == "localhost" or _plain(host).endswith(".localhost")
        if local and not (self.allow_private or self.config.loopback):
            return "Webhook host blocked: localhost address"
        return None


def address_of(host: str) -> Address | None:
    """The address that ``host`` spells out, in any notation that resolvers accept (``127.1``, ``0x7f000001``)."""
    text = host.strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(_plain(text)))
    except (OSError, UnicodeError, ValueError):
        return None


def _embedded(address: Address) -> list[Address]:
    """The address, and the IPv4 address embedded in a transition address."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    mapped: list[Address] = [each for each in inner if each is not None]
    return mapped if address.ipv4_mapped else [*mapped, address]


def _range_of(address: Address) -> str | None:
    """The name of the special range that ``address`` is in, or None for a public address."""
    named = {
        "unspecified": address.is_unspecified,
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,
        "multicast": address.is_multicast,
        "private": address.is_private,
    }
    found = next((name for name, holds in named.items() if holds), None)
    return found or (None if address.is_global and not address.is_reserved else "reserved")


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _matches(host: str, domain: str) -> bool:
    return host.endswith(domain[1:]) if domain.startswith("*.") else host == domain
