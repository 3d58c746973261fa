"""The library's own test cases for persistence modules, run on our SQLite module, unchanged.

Where a case also measures, what it prints is of no interest here.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.sqlite import SQLiteAggregateRecorder, SQLiteTrackingRecorder
from eventsourcing.tests import persistence as library
from eventsourcing.utils import Environment
from muniment.journal.sqlite.datastore import SQLiteDatastore
from muniment.journal.sqlite.recorder import SQLiteApplicationRecorder, SQLiteFactory, SQLiteProcessRecorder


class InFolder:
    """A database file of its own for each test."""

    originator_id_type: Any = "uuid"

    def setUp(self) -> None:
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "events.db"
        self.datastore = SQLiteDatastore(str(path), originator_id_type=self.originator_id_type, synchronous="NORMAL")
        super().setUp()  # type: ignore[misc]

    def tearDown(self) -> None:
        super().tearDown()  # type: ignore[misc]
        self.datastore.close()
        self.folder.cleanup()

    def create(self, recorder_class: Any) -> Any:
        recorder = recorder_class(self.datastore)
        recorder.create_table()
        return recorder


class TestAggregateRecorder(InFolder, library.AggregateRecorderTestCase):
    def create_recorder(self) -> SQLiteAggregateRecorder:
        return self.create(SQLiteAggregateRecorder)  # type: ignore[no-any-return]


class TestApplicationRecorder(InFolder, library.ApplicationRecorderTestCase):
    def create_recorder(self) -> SQLiteApplicationRecorder:
        return self.create(SQLiteApplicationRecorder)  # type: ignore[no-any-return]


class TestApplicationRecorderInMemory(TestApplicationRecorder):
    def setUp(self) -> None:
        super().setUp()
        self.datastore.close()
        self.datastore = SQLiteDatastore(":memory:")


class TestApplicationRecorderWithTextIds(TestApplicationRecorder):
    originator_id_type = "text"

    def new_originator_id(self) -> str:
        return f"session-{uuid4()}"


class TestTrackingRecorder(InFolder, library.TrackingRecorderTestCase):
    def create_recorder(self) -> SQLiteTrackingRecorder:
        return self.create(SQLiteTrackingRecorder)  # type: ignore[no-any-return]


class TestProcessRecorder(InFolder, library.ProcessRecorderTestCase):
    def create_recorder(self) -> SQLiteProcessRecorder:
        return self.create(SQLiteProcessRecorder)  # type: ignore[no-any-return]


class TestNonInterleavingPositions(InFolder, library.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> SQLiteApplicationRecorder:
        return self.create(SQLiteApplicationRecorder)  # type: ignore[no-any-return]


class OwnTrackingRecorder(SQLiteTrackingRecorder):
    pass


class TestFactory(library.InfrastructureFactoryTestCase[SQLiteFactory]):
    def setUp(self) -> None:
        self.folder = TemporaryDirectory()
        self.env = Environment("TestCase")
        self.env["PERSISTENCE_MODULE"] = "muniment.journal.sqlite"
        self.env["SQLITE_DBNAME"] = f"{self.folder.name}/events.db"
        super().setUp()

    def tearDown(self) -> None:
        super().tearDown()
        self.folder.cleanup()

    def expected_factory_class(self) -> type[SQLiteFactory]:
        return SQLiteFactory

    def expected_aggregate_recorder_class(self) -> type[SQLiteAggregateRecorder]:
        return SQLiteAggregateRecorder

    def expected_application_recorder_class(self) -> type[SQLiteApplicationRecorder]:
        return SQLiteApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[SQLiteTrackingRecorder]:
        return SQLiteTrackingRecorder

    def tracking_recorder_subclass(self) -> type[SQLiteTrackingRecorder]:
        return OwnTrackingRecorder

    def expected_process_recorder_class(self) -> type[SQLiteProcessRecorder]:
        return SQLiteProcessRecorder

    def test_a_setting_that_makes_no_sense(self) -> None:
        self.env["SQLITE_SYNCHRONOUS"] = "SOMETIMES"
        with pytest.raises(OSError, match="SQLITE_SYNCHRONOUS must be one of"):
            SQLiteFactory(self.env)
