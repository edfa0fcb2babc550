"""The answers of the replayed catalog, in the scraper service's contract."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from bench.replay.season import Reading


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Half an answer, and the end of the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = 400
    with suppress(ConnectionError):  # the client was killed, or would not wait any longer
        await response.prepare(request)
        await response.write(b'{"success": true, "data": {"subject": "MATH", ')
    if request.transport:
        request.transport.close()
    return response


def refusal(status: int, error: str) -> web.Response:
    """The answer of a scraper that does not succeed."""
    return web.json_response({"success": False, "error": error}, status=status)


def told(reading: Reading) -> web.Response:
    """The answer that shows `reading`."""
    return web.json_response({"success": True, "data": _data(reading)})


def _data(reading: Reading) -> dict[str, str | int | None]:
    subject, _, catalog_nbr = reading.course.partition(" ")
    return {
        "subject": subject,
        "catalog_nbr": catalog_nbr,
        "title": f"{reading.course} {reading.code}",
        "instructor": reading.instructor,
        "seats_available": reading.seats_available,
        "seats_capacity": reading.seats_capacity,
        "non_reserved_seats": None,
        "location": "",
        "meeting_times": "",
    }
