"""The full-text index of sections: course, title, instructor, term and number.

SQLite has an FTS5 table without content, which triggers keep in step; a migration that recreates
`sections` must create them again. PostgreSQL has an index over the same expression.
"""

from alembic import op

revision = "0106"
down_revision = "0105"
branch_labels = None
depends_on = None

_INTO = "INSERT INTO section_search ({}) VALUES ({});"
_FIELDS = ("course", "title", "instructor", "term", "number")


def _words(row: str) -> str:
    compact = f"replace(replace({row}.course, ' ', ''), '-', '')"
    return " || ' ' || ".join([compact, *(f"coalesce({row}.{name}, '')" for name in _FIELDS)])


def _delete() -> str:
    return _INTO.format("section_search, rowid, words", f"'delete', old.id, {_words('old')}")


def _insert() -> str:
    return _INTO.format("rowid, words", f"new.id, {_words('new')}")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        letters = f"regexp_replace({_words('sections')}, '[!-/:-@[-`{{-~]+', ' ', 'g')"
        vector = f"to_tsvector('simple'::regconfig, {letters})"
        op.execute(f"CREATE INDEX ix_sections_words ON sections USING gin ({vector})")
        return
    op.execute(
        "CREATE VIRTUAL TABLE section_search USING fts5(words, content='', prefix='2 3',"
        " tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute(
        f"INSERT INTO section_search (rowid, words) SELECT id, {_words('sections')} FROM sections"  # noqa: S608
    )
    changed = f"AFTER UPDATE OF {', '.join(_FIELDS)} ON sections WHEN {_words('old')} IS NOT {_words('new')}"
    for name, when, what in (
        ("insert", "AFTER INSERT ON sections", _insert()),
        ("update", changed, f"{_delete()} {_insert()}"),
        ("delete", "AFTER DELETE ON sections", _delete()),
    ):
        op.execute(f"CREATE TRIGGER section_search_{name} {when} BEGIN {what} END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX ix_sections_words")
        return
    for name in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER section_search_{name}")
    op.execute("DROP TABLE section_search")
