"""The collections of an invented time tracker: their options and their indexes."""

from typing import Any

from pymongo import ASCENDING, DESCENDING, TEXT, IndexModel
from pymongo.database import Database

VALIDATOR = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["email", "name", "createdAt"],
        "properties": {
            "email": {"bsonType": "string", "pattern": "^.+@.+$"},
            "name": {"bsonType": "string", "maxLength": 200},
            "createdAt": {"bsonType": "date"},
            "hourlyRate": {"bsonType": ["decimal", "null"]},
        },
    }
}

OPTIONS: dict[str, dict[str, Any]] = {
    "users": {"validator": VALIDATOR, "validationLevel": "moderate"},
    "timeEntries": {},
    "userGoals": {},
    "feedback": {},
    "feedbackVotes": {},
    "dayReflections": {},
}

INDEXES = {
    "users": [
        IndexModel("email", unique=True),
        IndexModel("calendarToken", unique=True, sparse=True),
        IndexModel("name", name="name_any_case", collation={"locale": "en", "strength": 2}),
    ],
    "timeEntries": [
        IndexModel([("userId", ASCENDING), ("date", DESCENDING)]),
        IndexModel(
            [("project.name", ASCENDING), ("date", DESCENDING)],
            name="billable",
            partialFilterExpression={"project.billable": True},
        ),
    ],
    "userGoals": [IndexModel([("userId", ASCENDING), ("period", ASCENDING)], unique=True)],
    "feedback": [
        IndexModel([("title", TEXT), ("body", TEXT)], name="search", weights={"title": 5}),
        IndexModel([("status", ASCENDING), ("votes", DESCENDING)]),
    ],
    "feedbackVotes": [IndexModel([("feedbackId", ASCENDING), ("userId", ASCENDING)], unique=True)],
    "dayReflections": [
        IndexModel([("userId", ASCENDING), ("date", DESCENDING)], unique=True),
        IndexModel("deleteAfter", expireAfterSeconds=0),
        IndexModel("sharedAt", sparse=True),
    ],
}


def create_collections(database: Database[dict[str, Any]]) -> None:
    """Create all collections, empty; raises CollectionInvalid if one is there already."""
    for name, options in OPTIONS.items():
        database.create_collection(name, **options)


def create_indexes(database: Database[dict[str, Any]]) -> None:
    """Build the indexes of all collections."""
    for name, indexes in INDEXES.items():
        database[name].create_indexes(indexes)
