from __future__ import annotations

import pytest

from tests.ingress.site import Site


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
def test_the_front_leads_to_the_console(site: Site, accept: str) -> None:
    answer = site.client.get("/?utm=1", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["location"]) == (307, "/console/")


def test_the_front_takes_nothing(site: Site) -> None:
    assert site.client.post("/").status_code == 405
