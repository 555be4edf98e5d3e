"""Where the users of a policy's database are, and what is asked of them."""

from holdfast.domain.mongodb_uri import uri_database
from holdfast.errors import InvalidSpec, SecretMissing
from holdfast.ports import Cluster, PersonFields, UserCollection
from holdfast.resources.new_users import NewUsersSpec
from holdfast.resources.policy import BackupPolicy
from holdfast.services.mail_account import secret_values


def user_collection(cluster: Cluster, policy: BackupPolicy, spec: NewUsersSpec) -> UserCollection:
    """SecretMissing, InvalidUri or InvalidSpec where that cannot be said."""
    source, namespace = policy.spec.source, policy.metadata.namespace
    reference = source.uri_secret_ref
    origin = f"key {reference.key} of Secret {namespace}/{reference.name}"
    uri = (secret_values(cluster, namespace, reference.name) or {}).get(reference.key, "").strip()
    if not uri:
        raise SecretMissing(f"There is no {origin}.", hint="Add it, or name another in the policy.")
    database = source.database or uri_database(uri, origin)
    if not database:
        raise InvalidSpec(f"No database is named by the policy or the URI from {origin}.", hint="Name one.")
    return UserCollection(uri, origin, source.read_preference, database, spec.collection)


def person_fields(spec: NewUsersSpec) -> PersonFields:
    return PersonFields(spec.fields.name, spec.fields.address, spec.fields.time)
