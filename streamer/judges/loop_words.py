"""What a proven loop is called, for people and for throttle commands."""

from detectors import Circled, Grown, LoopFinding, Ringed, Varied
from streamer.events.usage import UsageEvent
from streamer.records import Scope


def scope(event: UsageEvent, finding: LoopFinding, agent: str) -> Scope:
    """Name what the loop is about: the session, its tool if there is one only, and `agent` ("" for several)."""
    one_tool = not isinstance(finding, Circled | Varied) or finding.one_tool
    tool = event.tool if one_tool and not isinstance(finding, Ringed | Grown) else ""
    agent = "" if isinstance(finding, Ringed) else agent
    return Scope(use_case=event.use_case, agent=agent, session=event.session, tool=tool)


def reason(tool: str, finding: LoopFinding, at: float) -> str:
    """Say what the newest call (of `tool`) or step proved at `at` (epoch seconds)."""
    seconds = f"in {max(at - finding.since, 0):.0f} s"
    match finding:
        case Circled(length=calls, cycle=cycle):
            return f"the same {cycle} calls, {tool} the last, gone through {calls / cycle:.3g} times {seconds}"
        case Varied(length=calls, kinds=kinds, one_tool=True):
            return f"{tool} called {calls} times {seconds} with only {kinds} different arguments"
        case Varied(length=calls, kinds=kinds):
            return f"{calls} calls {seconds}, {tool} the last, only {kinds} of them different"
        case Ringed(length=times):
            who = _list(finding.agents)
            return f"agents {who} handed over to each other {times} times {seconds}, {_NOTHING} between"
        case Grown(length=steps, first=first, last=last):
            grown = f"the context grew with each of {steps} steps {seconds}, from {first:,} to {last:,} tokens"
            return f"{grown}, with hardly any output, {_NOTHING}"
    return f"{tool} called {finding.length} times with the same arguments {seconds}"


_NOTHING = "no new tool call and no outcome"


def _list(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
