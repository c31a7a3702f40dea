"""The laws of the design, each a property under its own name, over drawn cores and scripts."""

import math
from collections.abc import Callable
from operator import itemgetter
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.core.scripts import (
    RANKED,
    AnyDiscipline,
    Fact,
    Game,
    Player,
    Setting,
    Step,
    facts,
    games,
    policies,
    replies,
    stack_of,
    useless_or_not,
)
from timeouts.commands import Cancel, Commands, Reply, Start
from timeouts.discipline import FIFO, LIFO, EarliestDeadlineFirst, Priority
from timeouts.errors import (
    QueueFull,
    Rejected,
    ShuttingDown,
    StartupFailed,
    TimeoutsError,
    TooManyAbandoned,
)
from timeouts.job import ABANDONED, DONE, RUNNING, WAITING, Job
from timeouts.policy import (
    ExecutionTimeout,
    FirstItemTimeout,
    GatewayTimeout,
    IdleTimeout,
    Policy,
    QueueTimeout,
)
from timeouts.stack import Stack

# 1. Time first.


@given(games())
def test_time_first_extra_ticks_change_nothing(game: Game) -> None:
    """Ticks between the inputs change no start, no answer, no count and no timer."""
    plain, ticked = Player(game.setting), Player(game.setting)
    for number, step in enumerate(game.script):
        for before in sorted(game.extra[number % 4 :: 4], reverse=True):
            ticked.feed(Step("tick", step.now - before % 8))
        ticked.feed(step)
        plain.feed(step)
        assert _books(ticked) == _books(plain)
    assert _by_kind(ticked.diary) == _by_kind(plain.diary)


@given(games())
def test_time_first_every_input_expires_what_is_due_before_it_acts(game: Game) -> None:
    """An input is a tick at its instant followed by the input: the same commands in the same order."""
    one, two = Player(game.setting), Player(game.setting)
    for step in game.script:
        passing = two.feed(Step("tick", step.now))
        commands = one.feed(step)
        assert facts(commands) == facts(passing) + facts(two.feed(step))
        assert _told(commands)[: len(_told(passing))] == _told(passing)


@given(games())
def test_time_first_a_deadline_equal_to_now_has_passed(game: Game) -> None:
    """A tick just before the timer tells nobody anything; a tick at it does."""
    player = Player(game.setting).play(game.script)
    timer = player.core.next_timer()
    if timer < math.inf:
        assert player.core.tick(math.nextafter(timer, -math.inf)) == []
        assert player.core.tick(timer) != []


# 2. One reply.


@given(games())
def test_one_reply(game: Game) -> None:
    """Whatever races, each job that arrived is answered exactly once, by its own outcome."""
    player = Player(game.setting).play(game.script).end()
    told = [fact[1] for fact in player.diary if fact[0] == "reply"]
    assert sorted(told, key=str) == sorted(player.jobs, key=str)
    assert player.core.arrived == player.core.outcomes.total() == len(player.jobs)
    for key, (value, *_) in replies(player.diary).items():
        assert value in (None, key) or isinstance(value, str)


@given(games())
def test_one_reply_and_the_books_balance(game: Game) -> None:
    """After each input the jobs that arrived are those answered, waiting and running."""
    player = Player(game.setting)
    for step in game.script:
        player.feed(step)
        core = player.core
        assert core.arrived == core.outcomes.total() + core.waiting + core.running


@given(games())
def test_one_reply_late_work_is_reported_and_reaches_nobody(game: Game) -> None:
    """A job was cancelled if and only if its end is told as late, once, after its only answer."""
    diary = Player(game.setting).play(game.script).end().diary
    cancelled = sorted(str(fact[1]) for fact in diary if fact[0] == "cancel")
    assert cancelled == sorted(str(fact[1]) for fact in diary if fact[0] == "late")
    for place, fact in enumerate(diary):
        if fact[0] in ("late", "cancel"):
            assert fact[1] in replies(diary[:place])
            assert fact[1] not in replies(diary[place:])


@given(games())
def test_one_reply_each_caller_has_an_error_of_his_own(game: Game) -> None:
    """No two are given the same object, nor the one that the core was told: they may raise theirs."""
    player, reasons = Player(game.setting), list[object]()
    for step in game.script:
        player.feed(step)
        reasons += [] if player.why in reasons else [player.why]
    errors = [*reasons, *(job.error for job in player.jobs.values() if job.error is not None)]
    assert len({id(error) for error in errors}) == len(errors)


# 3. Reply is not release.


@given(games())
def test_reply_is_not_release(game: Game) -> None:
    """Nothing starts but in a slot that `finish` has freed or a worker has brought; answers free none."""
    player = Player(game.setting)
    for step in game.script:
        held = len(player.holders)
        commands = player.feed(step)
        held -= any(isinstance(c, Reply) and _finished(c) for c in commands)
        core = player.core
        assert core.running + core.abandoned == len(player.holders)
        assert len(player.holders) <= player.slots
        if step.verb not in ("arrive", "finish", "enlist"):
            assert not any(isinstance(command, Start) for command in commands)
            assert held == len(player.holders)


@given(games())
def test_reply_is_not_release_the_abandoned_hold_their_slots(game: Game) -> None:
    """Each running job that is answered early is cancelled in the same breath, and counted."""
    player = Player(game.setting)
    for step in game.script:
        commands = player.feed(step)
        for place, command in enumerate(commands):
            if isinstance(command, Cancel):
                answer = commands[place - 1]
                assert isinstance(answer, Reply)
                assert command.jobs == (answer.job,)
        abandoned = [job for job in player.jobs.values() if job.phase is ABANDONED]
        assert player.core.abandoned == len(abandoned)


# 4. Never over-committed.


@given(games())
def test_never_over_committed(game: Game) -> None:
    """Running + abandoned + free = slots, none of them negative, after every input."""
    player = Player(game.setting)
    for step in game.script:
        player.feed(step)
        core = player.core
        assert core.running + core.abandoned + core.free == core.slots == player.slots
        assert min(core.running, core.abandoned, core.free) >= 0
        assert core.running == sum(job.phase is RUNNING for job in player.jobs.values())


@given(games())
def test_never_over_committed_nobody_waits_beside_a_usable_slot(game: Game) -> None:
    """A job waits only while all slots are held or too many jobs are abandoned."""
    player = Player(game.setting)
    for step in game.script:
        player.feed(step)
        core = player.core
        if core.waiting:
            assert core.free == 0 or core.abandoned >= game.setting.max_abandoned


@given(games())
def test_never_over_committed_no_start_beside_too_many_abandoned(game: Game) -> None:
    """While `max_abandoned` jobs are abandoned, nothing starts."""
    player = Player(game.setting)
    for step in game.script:
        commands = player.feed(step)
        if any(isinstance(command, Start) for command in commands):
            assert player.core.abandoned < game.setting.max_abandoned


@given(games())
def test_never_over_committed_a_slot_goes_with_its_worker(game: Game) -> None:
    """A vacated slot starts nobody, unless one job more was held back beside too many abandoned."""
    player = Player(game.setting)
    for step in game.script:
        full = player.core.abandoned >= game.setting.max_abandoned
        slots, held = player.slots, len(player.holders)
        starts = [c for c in player.feed(step) if isinstance(c, Start)]
        if step.verb == "finish" and player.slots < slots:
            assert full or not starts
        if step.verb == "dismiss":
            assert len(player.holders) == held
            assert player.core.slots == (slots - 1 if held < slots else slots)


@given(games())
def test_never_over_committed_without_workers_nothing_starts_and_nobody_waits(game: Game) -> None:
    """From `withhold` until the next `enlist`, also where slots are free."""
    player = Player(game.setting)
    for step in game.script:
        commands = player.feed(step)
        if player.why is not None:
            assert player.core.waiting == 0
            assert not any(isinstance(command, Start) for command in commands)


@given(games())
def test_one_reply_without_workers_everybody_is_told_why(game: Game) -> None:
    """Who waits at `withhold`, and who comes until the next `enlist`: the reason, and his own times."""
    player = Player(game.setting)
    for step in game.script:
        waiting = [job for job in player.live() if job.phase is WAITING]
        commands = player.feed(step)
        told = [c.job for c in commands if isinstance(c, Reply)]
        if (why := player.why) is None:
            assert not any(isinstance(job.error, StartupFailed) for job in told)
            continue
        for job in told:
            error = job.error
            if step.verb == "withhold" and job in waiting and isinstance(error, StartupFailed):
                assert error.elapsed == player.latest - job.arrived
            elif step.verb == "arrive" and job.key == step.key and player.core.open:
                assert isinstance(error, StartupFailed)
                assert (str(error), error.limit, error.elapsed) == (str(why), why.limit, 0)
            else:
                assert not isinstance(error, StartupFailed)


# 5. The timer is honest.


@given(games())
def test_the_timer_is_honest(game: Game) -> None:
    """After every input the timer is the earliest deadline of all live jobs, and still to come."""
    player = Player(game.setting)
    for step in game.script:
        player.feed(step)
        deadlines = [game.setting.stack.limit(job)[0] for job in player.live()]
        assert player.core.next_timer() == min(deadlines, default=math.inf)
        assert player.core.next_timer() > player.latest


@given(games())
def test_the_timer_is_honest_whoever_follows_it_is_never_late(game: Game) -> None:
    """Ticking at each timer tells every expiry at its deadline: elapsed is exactly the limit."""
    player = Player(game.setting)
    for step in _in_order(game.script):
        while (timer := player.core.next_timer()) <= step.now:
            commands = player.feed(Step("tick", timer))
            assert commands  # else it would be followed for ever
            for command in commands:
                if isinstance(command, Reply):
                    error = command.job.error
                    assert error is not None
                    assert error.elapsed == error.limit
        player.feed(step)


# 6. The dead hold no place.


@given(games(capacities=(0, 1, 2, 3)))
def test_the_dead_hold_no_place(game: Game) -> None:
    """The queue counts live waiting jobs only, and refuses only when so many of them wait."""
    player = Player(game.setting)
    for step in game.script:
        alive = [j for j in player.live() if j.phase is WAITING and j.expires > player.latest]
        assert player.core.waiting == len(alive)
        still = [job for job in alive if job.expires > max(player.latest, step.now)]
        for command in player.feed(step):
            if isinstance(command, Reply) and isinstance(command.outcome.error, QueueFull):
                assert len(still) >= game.setting.capacity
        assert player.core.waiting <= game.setting.capacity


@given(games())
def test_the_dead_hold_no_place_in_memory(game: Game) -> None:
    """When all is over, the core remembers no job."""
    core = Player(game.setting).play(game.script).end().core
    assert (core.waiting, core.running, core.abandoned) == (0, 0, 0)
    assert core._jobs == {}
    assert core.next_timer() == math.inf


# 7. Order.


@pytest.mark.parametrize("discipline", RANKED)
@given(data=st.data())
def test_order_among_jobs_that_start(discipline: AnyDiscipline, data: st.DataObject) -> None:
    """Each job that leaves the queue for a slot comes first, by the discipline, of all that wait."""
    game = data.draw(games(discipline))
    player = Player(game.setting)
    ranks: dict[int, tuple[float, int]] = {}
    for step in game.script:
        commands = player.feed(step)
        waiting = [j for j in player.live() if j.phase is WAITING]
        started = [j for c in commands if isinstance(c, Start) for j in c.jobs]
        ranks |= {_key(j): _rank(discipline, j) for j in waiting if _key(j) not in ranks}
        if step.verb != "arrive":
            order = [ranks[_key(job)] for job in started]
            assert order == sorted(order)
            assert all(o < ranks[_key(job)] for o in order for job in waiting)
        else:
            assert not (
                started and waiting
            )  # no barging: who starts at the door finds nobody there


@given(games())
def test_order_a_job_whose_deadline_has_passed_never_starts(game: Game) -> None:
    """What starts has time left, by the rules of the wait and by those of the run."""
    player = Player(game.setting)
    waited: dict[Job, float] = {}
    for step in game.script:
        for command in player.feed(step):
            if isinstance(command, Start):
                (job,) = command.jobs
                assert game.setting.stack.limit(job)[0] > player.latest
                assert waited.get(job, math.inf) > player.latest
        waited |= {j: j.expires for j in player.jobs.values() if j.phase is WAITING}


# 8. A longer timeout never ends a job earlier; stacks are a monoid; order means blame only.


@given(games())
def test_a_longer_timeout_never_ends_a_job_earlier(game: Game) -> None:
    """With slots for all, every answer comes at the same instant or later under longer timeouts."""
    short = game.setting.stack.policies
    longer = [_lengthened(p, by % 6) for p, by in zip(short, game.extra, strict=False)]
    early = _answered_at(Setting(stack_of(*short)), game.script)
    late = _answered_at(Setting(stack_of(*longer)), game.script)
    for key, instant in late.items():
        assert early.get(key, math.inf) <= instant


@given(policies(), st.data())
def test_a_longer_timeout_never_ends_a_job_earlier_in_any_state(
    short: list[Policy], data: st.DataObject
) -> None:
    """Whatever has happened to a job, longer timeouts give it no earlier deadline."""
    job = data.draw(jobs_in_any_state())
    longer = [_lengthened(policy, data.draw(st.integers(0, 5))) for policy in short]
    assert stack_of(*short).limit(job)[0] <= stack_of(*longer).limit(job)[0]


@given(games(), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.booleans())
def test_what_an_explanation_calls_never_reached_never_fires(
    game: Game, wait: int, run: int, slack: int, by_first_item: bool
) -> None:
    """Whatever happens, nothing is ended by a policy that two others add up to."""
    waiting = FirstItemTimeout(wait) if by_first_item else QueueTimeout(wait)
    net = GatewayTimeout(wait + run + slack, reserve=0)
    stack = stack_of(waiting, ExecutionTimeout(run), IdleTimeout(2), net)
    assert [policy for policy, _ in stack.explain().unreached] == [net]
    player = Player(game.setting._replace(stack=stack)).play(game.script)
    assert repr(net) not in {fact[1] for fact in replies(player.diary).values()}


@given(games(), st.integers(1, 4), st.integers(1, 4), st.integers(0, 9), st.data())
def test_what_an_explanation_calls_never_reached_never_fires_on_who_brings_no_budget(
    game: Game, wait: int, run: int, slack: int, data: st.DataObject
) -> None:
    """So with a reserve, fixed or learned, as long as it leaves the wait more than the other limit allows."""
    waiting = data.draw(st.sampled_from([QueueTimeout, FirstItemTimeout]))(wait)
    whole = wait + run + slack
    reserve: float | Literal["auto"] = data.draw(st.sampled_from(["auto", *range(1, whole)]))
    net = GatewayTimeout(whole, reserve=reserve)
    stack = stack_of(waiting, ExecutionTimeout(run), IdleTimeout(2), net)
    assume(net in {policy for policy, _ in stack.explain().unreached})
    script = [step._replace(budget=None) for step in game.script]
    player = Player(game.setting._replace(stack=stack)).play(script)
    assert repr(net) not in {fact[1] for fact in replies(player.diary).values()}


@given(policies(), st.integers(0, 5), st.integers(0, 5))
def test_or_is_associative_with_identity(drawn: list[Policy], first: int, second: int) -> None:
    """However the bars are bracketed, the stack is the same, and `Stack()` adds nothing to it."""
    one, two = sorted((first, second))
    a, b, c = stack_of(*drawn[:one]), stack_of(*drawn[one:two]), stack_of(*drawn[two:])
    with useless_or_not():
        left, right = (a | b) | c, a | (b | c)
        assert left == right == stack_of(*drawn)
        assert hash(left) == hash(right)
        assert left.policies == right.policies == tuple(drawn)
        assert Stack() | left == left == left | Stack()


@given(policies(), st.data())
def test_reordering_changes_no_instant_only_blame_on_ties(
    drawn: list[Policy], data: st.DataObject
) -> None:
    """The instant is the same in every order; the blame too, unless another policy ties with it."""
    job = data.draw(jobs_in_any_state())
    shuffled = data.draw(st.permutations(drawn))
    instant, blamed = stack_of(*drawn).limit(job)
    instant_again, blamed_again = stack_of(*shuffled).limit(job)
    assert instant == instant_again
    if blamed is not blamed_again:
        assert blamed.deadline(job) == blamed_again.deadline(job) == instant


@given(games())
def test_reordering_changes_no_instant_only_blame_on_ties_in_a_core(game: Game) -> None:
    """Cores under the same rules in another order start, answer and cancel the same jobs alike."""
    ranked = zip(game.extra, game.setting.stack.policies, strict=False)
    shuffled = stack_of(*(policy for _, policy in sorted(ranked, key=itemgetter(0))))
    one, other = Player(game.setting), Player(game.setting._replace(stack=shuffled))
    for step in game.script:
        one.feed(step)
        other.feed(step)
        assert one.core.next_timer() == other.core.next_timer()
        assert one.holders == other.holders
    assert [fact[:2] for fact in one.diary] == [fact[:2] for fact in other.diary]


@given(policies(), st.data())
def test_a_budget_may_shorten_never_lengthen(drawn: list[Policy], data: st.DataObject) -> None:
    """With a budget a job's deadline is never later than without, and never later than the budget."""
    stack = stack_of(*drawn)
    job = data.draw(jobs_in_any_state())
    with_budget, _ = stack.limit(job)
    budget, job.deadline = job.deadline, math.inf
    without, _ = stack.limit(job)
    assert with_budget <= min(without, budget)


@given(games())
def test_a_retry_is_invited_within_the_patience_of_those_who_wait(game: Game) -> None:
    """Nobody is told to come back later than a job that came now could wait, nor in the past."""
    player = Player(game.setting)
    rules = {type(p): p for p in game.setting.stack.policies}
    patience = min(
        getattr(rules.get(kind), "timeout", math.inf) for kind in (QueueTimeout, GatewayTimeout)
    )
    for step in game.script:
        told = [c.outcome.error for c in player.feed(step) if isinstance(c, Reply)]
        for error in told:
            if isinstance(error, Rejected) and not isinstance(error, (ShuttingDown, StartupFailed)):
                assert 0 <= (error.retry_after or 0) <= patience


@given(games(), policies(), st.integers(0, 30))
def test_a_job_lives_under_the_rules_it_arrived_under(
    game: Game, others: list[Policy], at: int
) -> None:
    """Other rules for those who come later move no deadline of those who are here."""
    player = Player(game.setting)
    for step in game.script[:at]:
        player.feed(step)
    core = player.core
    before = [(job, job.expires, job.blamed) for job in core._jobs.values()]
    timer = core.next_timer()
    commands = core.relimit(stack_of(*others), core.capacity, core._now)
    assert commands == []
    assert [(job, job.expires, job.blamed) for job in core._jobs.values()] == before
    assert core.next_timer() == timer
    assert all(job.stack is game.setting.stack for job, _, _ in before)


@given(games())
def test_a_refused_job_never_ran(game: Game) -> None:
    """`started` says what happened: it is true of exactly those jobs that were given a slot."""
    player = Player(game.setting).play(game.script).end()
    ran = {fact[1] for fact in player.diary if fact[0] == "start"}
    for key, job in player.jobs.items():
        if job.error is not None:
            assert job.error.started == (key in ran)
            assert job.error.work == ("stopped" if key in ran else "never started")
        assert not (isinstance(job.error, Rejected) and key in ran)


# What the properties share.


@st.composite
def jobs_in_any_state(draw: st.DrawFn) -> Job:
    job = Job("any", deadline=draw(st.sampled_from([math.inf, *range(10, 20)])))
    job.arrived = 10
    job.phase = draw(st.sampled_from([WAITING, RUNNING]))
    if job.phase is RUNNING:
        job.started = draw(st.integers(10, 15))
        job.items = draw(st.integers(0, 2))
        job.idle_since = draw(st.sampled_from([math.inf, 15, 16])) if job.items else math.inf
    return job


def _books(player: Player) -> tuple[object, ...]:
    core = player.core
    counts = core.waiting, core.running, core.abandoned, core.free, core.arrived
    return (*counts, core.outcomes, core.next_timer(), tuple(player.holders))


def _by_kind(diary: list[Fact]) -> tuple[list[Fact], list[Fact]]:
    """Return the starts in order, and everything else, whose order ticks may change."""
    starts = [fact for fact in diary if fact[0] == "start"]
    return starts, sorted((fact for fact in diary if fact[0] != "start"), key=str)


def _told(commands: Commands) -> list[object]:
    errors = [c.job.error for c in commands if isinstance(c, Reply)]
    return [None if e is None else (str(e), e.elapsed) for e in errors]


def _finished(reply: Reply) -> bool:
    return not isinstance(reply.outcome.error, TimeoutsError)


def _in_order(script: list[Step]) -> list[Step]:
    return sorted(script, key=lambda step: step.now)


def _key(job: Job) -> int:
    return int(str(job.key))


def _rank(discipline: AnyDiscipline, job: Job) -> tuple[float, int]:
    key = _key(job)
    ranks: dict[AnyDiscipline, tuple[float, int]] = {
        FIFO: (0, key),
        LIFO: (0, -key),
        Priority: (job.priority, key),
        EarliestDeadlineFirst: (job.expires, key),
    }
    return ranks[discipline]


def _lengthened(policy: Policy, by: int) -> Policy:
    (timeout,) = (value for name, value in vars(policy).items() if name == "timeout")
    if isinstance(policy, GatewayTimeout):
        return GatewayTimeout(timeout + by, reserve=policy.reserve)
    kind: Callable[[float], Policy] = type(policy)
    return kind(timeout + by)


def _answered_at(setting: Setting, script: list[Step]) -> dict[object, float]:
    """Play with ticks at every timer, so that each answer is told at its own instant."""
    player, answered = Player(setting, strict=True), dict[object, float]()
    for step in _in_order(script):
        while (timer := player.core.next_timer()) <= step.now:
            told = _keys(player.feed(Step("tick", timer)))
            assert told
            answered |= dict.fromkeys(told, timer)
        answered |= dict.fromkeys(_keys(player.feed(step)), step.now)
    return answered


def _keys(commands: Commands) -> list[object]:
    return [command.job.key for command in commands if isinstance(command, Reply)]


@given(games())
def test_a_knock_refuses_just_what_an_arrival_would(game: Game) -> None:
    """And counts it as one; a job that is not refused has not arrived and changes nothing."""
    one, two = Player(game.setting), Player(game.setting)
    for step in game.script:
        one.feed(step)
        two.feed(step)
        if step.verb != "tick":
            continue
        before = str(_books(two))
        arriving, knocking = Job("arrives"), Job("knocks")
        said = two.core.knock(knocking, step.now)
        answers = _replies(one.core.arrive(arriving, step.now))
        if knocking.phase is not DONE:
            assert (said, str(_books(two))) == ([], before)
            refusals = (QueueFull, TooManyAbandoned, ShuttingDown, StartupFailed)
            assert not isinstance(arriving.error, refusals)
            return
        assert [type(answer.outcome.error) for answer in answers] == [type(knocking.error)]
        assert str(_books(one)) == str(_books(two))


def _replies(commands: Commands) -> list[Reply]:
    return [command for command in commands if isinstance(command, Reply)]
