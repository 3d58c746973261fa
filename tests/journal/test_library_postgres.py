"""The library's own test cases for persistence modules, run on our PostgreSQL module, unchanged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.postgres import PostgresAggregateRecorder, PostgresTrackingRecorder
from eventsourcing.tests import persistence as library
from eventsourcing.utils import Environment
from muniment.journal.postgres.datastore import PostgresDatastore
from muniment.journal.postgres.recorder import PostgresApplicationRecorder, PostgresFactory, PostgresProcessRecorder
from psycopg.sql import SQL, Identifier

from ..postgres_server import Server

SCHEMAS = count(1)


class InSchema:
    """A schema of its own for each test."""

    originator_id_type: Any = "uuid"

    @pytest.fixture(autouse=True)
    def place(self, postgres: Server) -> Iterator[None]:
        self.login = postgres.login()
        self.schema = f'"library" {os.getpid()}-{next(SCHEMAS)}'
        with postgres.connect() as connection:
            connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(self.schema)))
        yield
        postgres.drop(self.schema)


class WithDatastore(InSchema):
    def setUp(self) -> None:
        settings: dict[str, Any] = {**self.login, "pool_size": 5, "max_overflow": 20}
        self.datastore = PostgresDatastore(**settings, schema=self.schema, originator_id_type=self.originator_id_type)
        super().setUp()  # type: ignore[misc]

    def tearDown(self) -> None:
        super().tearDown()  # type: ignore[misc]
        self.datastore.close()

    def create(self, recorder_class: Any, **settings: Any) -> Any:
        recorder = recorder_class(self.datastore, **settings)
        recorder.create_table()
        return recorder


class TestAggregateRecorder(WithDatastore, library.AggregateRecorderTestCase):
    def create_recorder(self) -> PostgresAggregateRecorder:
        return self.create(PostgresAggregateRecorder)  # type: ignore[no-any-return]


class TestApplicationRecorder(WithDatastore, library.ApplicationRecorderTestCase):
    def create_recorder(self) -> PostgresApplicationRecorder:
        return self.create(PostgresApplicationRecorder)  # type: ignore[no-any-return]


class TestApplicationRecorderWithTextIds(TestApplicationRecorder):
    originator_id_type = "text"

    def new_originator_id(self) -> str:
        return f"session-{uuid4()}"


class TestTrackingRecorder(WithDatastore, library.TrackingRecorderTestCase):
    def create_recorder(self) -> PostgresTrackingRecorder:
        return self.create(PostgresTrackingRecorder)  # type: ignore[no-any-return]


class TestProcessRecorder(WithDatastore, library.ProcessRecorderTestCase):
    def create_recorder(self) -> PostgresProcessRecorder:
        return self.create(PostgresProcessRecorder)  # type: ignore[no-any-return]


class TestNonInterleavingPositions(WithDatastore, library.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> PostgresApplicationRecorder:
        return self.create(PostgresApplicationRecorder)  # type: ignore[no-any-return]


class OwnTrackingRecorder(PostgresTrackingRecorder):
    pass


class TestFactory(InSchema, library.InfrastructureFactoryTestCase[PostgresFactory]):
    def setUp(self) -> None:
        self.env = Environment("TestCase")
        self.env["PERSISTENCE_MODULE"] = "muniment.journal.postgres"
        self.env["POSTGRES_SCHEMA"] = self.schema
        for name, value in self.login.items():
            self.env[f"POSTGRES_{name.upper()}"] = value
        super().setUp()

    def tearDown(self) -> None:
        self.factory.close()
        super().tearDown()

    def expected_factory_class(self) -> type[PostgresFactory]:
        return PostgresFactory

    def expected_aggregate_recorder_class(self) -> type[PostgresAggregateRecorder]:
        return PostgresAggregateRecorder

    def expected_application_recorder_class(self) -> type[PostgresApplicationRecorder]:
        return PostgresApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[PostgresTrackingRecorder]:
        return PostgresTrackingRecorder

    def tracking_recorder_subclass(self) -> type[PostgresTrackingRecorder]:
        return OwnTrackingRecorder

    def expected_process_recorder_class(self) -> type[PostgresProcessRecorder]:
        return PostgresProcessRecorder
