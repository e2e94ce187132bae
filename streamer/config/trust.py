"""Whose words count."""

from alerts.match import fits
from streamer.config.base import Section


class TrustConfig(Section):
    """Who may acknowledge commands (names of gateways) and answer (patterns of `by`); nobody named: whoever can write.

    Both are what a record says of itself: who may write to the topics at all is for Kafka's ACLs to say.
    """

    gateways: tuple[str, ...] = ()
    people: tuple[str, ...] = ()

    def trusts_gateway(self, name: str) -> bool:
        """Tell whether a gateway of this name may acknowledge.

        >>> TrustConfig(gateways=("edge-1",)).trusts_gateway("edge-2")
        False
        """
        return not self.gateways or name in self.gateways

    def trusts_person(self, by: str) -> bool:
        """Tell whether a person of this name may answer.

        >>> TrustConfig(people=("*@example.com",)).trusts_person("ann@example.com")
        True
        """
        return not self.people or fits(self.people, by)
