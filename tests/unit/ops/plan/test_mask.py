from __future__ import annotations

from ops.plan.mask import Mask, secret_values
from ops.plan.model import MASKED, Difference, Drift
from ops.state_check import SECRET_SIGNATURE
from tests.unit.ops.plan.plans import change, plan

SECRET = "hunter2-hunter2-hunter2"


def exported(plain: str) -> dict[str, object]:
    return {SECRET_SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": plain}


def test_every_text_of_a_plan_goes_through_it() -> None:
    said = f"so {SECRET} it is"
    dirty = plan(
        change(
            name=said,
            differences=(Difference(said, said, said),),
            reasons=(said, f"redis://user:{SECRET}@redis"),
        ),
        drift=(Drift(said, said),),
        notes=(said,),
        problem=said,
    )
    clean = Mask([SECRET]).plan(dirty)
    assert SECRET not in repr(clean)
    assert clean.changes[0].reasons[0] == f"so {MASKED} it is"
    assert clean.changes[0].action is dirty.changes[0].action
    assert clean.changes[0].effect == dirty.changes[0].effect


def test_a_password_in_a_url_is_masked_without_being_known() -> None:
    assert Mask().text("at amqp://user:hunter2@broker:5672/x") == f"at amqp://{MASKED}@broker:5672/x"
    assert Mask().text("at http://localhost:3000/a@b") == "at http://localhost:3000/a@b"


def test_the_secrets_of_a_state_are_found_at_any_depth() -> None:
    deployment = {
        "resources": [
            {"outputs": {"current": exported(f'"{SECRET}"'), "name": "jwt_secret"}},
            {
                "inputs": {
                    "uploads": exported(
                        '[{"file": "/run/secrets/a", "content": "first-line-\\nsecond-line",'
                        ' "permissions": "0400"}]'
                    )
                }
            },
        ]
    }
    found = secret_values(deployment)
    assert {SECRET, "first-line-", "second-line"} <= found
    # Where a file lies is no secret, and shows in every plan.
    assert not {"/run/secrets/a", "0400", "jwt_secret"} & found


def test_a_value_within_another_leaves_nothing_of_either() -> None:
    mask = Mask(["abcdefgh", "abcdefgh-ijklmnop"])
    assert mask.text("abcdefgh-ijklmnop abcdefgh") == f"{MASKED} {MASKED}"
