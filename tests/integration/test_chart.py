"""What Helm makes of the chart, and kubectl of the manifests: no cluster is needed for either."""

import json
import re
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.resources.policy import BackupPolicy
from holdfast.specs.access import role
from tests.cluster.layout import layout
from tests.cluster.tools import build_tools
from tests.support import chart_values
from tests.support.helm import HelmFailed, helm, helm_program, objects_in

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "holdfast"
MANIFESTS = ROOT / "manifests" / "default"
DIGEST = "sha256:" + "a" * 64

Object = dict[str, Any]
Render = Callable[..., list[Object]]


@pytest.fixture(scope="session")
def program() -> Path:
    return helm_program()


@pytest.fixture
def render(program: Path) -> Render:
    def rendered(*settings: str, release: str = "holdfast", namespace: str = "holdfast-system") -> list[Object]:
        options = [word for setting in settings for word in ("--set", setting)]
        command = ("template", release, str(CHART), "--namespace", namespace, "--skip-tests")
        return objects_in(helm(program, *command, *options))

    return rendered


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [body for body in objects if body["kind"] == kind]


def pod_of(objects: list[Object]) -> Object:
    [deployment] = of_kind(objects, "Deployment")
    spec: Object = deployment["spec"]["template"]["spec"]
    return spec


def operator_of(objects: list[Object]) -> Object:
    [container] = pod_of(objects)["containers"]
    result: Object = container
    return result


def environment_of(container: Object) -> Mapping[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def test_helm_finds_nothing_to_say(program: Path) -> None:
    assert "0 chart(s) failed" in helm(program, "lint", "--strict", str(CHART))


def test_everything_is_there(render: Render) -> None:
    objects = render()
    kinds = sorted(body["kind"] for body in objects)
    assert kinds == [
        *["ClusterRole"] * 6,
        "ClusterRoleBinding",
        *["CustomResourceDefinition"] * 3,
        "Deployment",
        "Lease",
        "Role",
        "RoleBinding",
        *["Service"] * 2,
        "ServiceAccount",
    ]
    originals = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    assert of_kind(objects, "CustomResourceDefinition") == originals


# --- more than one replica --------------------------------------------------------------------------------------------


def test_a_new_operator_stands_by_before_the_old_one_goes(render: Render) -> None:
    [deployment] = of_kind(render("replicas=3"), "Deployment")
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_each_operator_has_a_name_of_its_own_in_the_lease_that_its_role_is_for(render: Render) -> None:
    objects = render(release="mine")
    environment = environment_of(operator_of(objects))
    assert environment["HOLDFAST_IDENTITY"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert environment["HOLDFAST_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    [lease], [role_of_lease], [binding] = (of_kind(objects, kind) for kind in ("Lease", "Role", "RoleBinding"))
    assert lease["metadata"]["name"] == environment["HOLDFAST_LEASE"] == "mine-holdfast"
    assert "spec" not in lease, "it is the operators' own"
    named, anew = role_of_lease["rules"]
    assert (named["resourceNames"], named["verbs"], anew["verbs"]) == (["mine-holdfast"], ["get", "patch"], ["create"])
    assert binding["subjects"][0]["name"] == pod_of(objects)["serviceAccountName"]


def test_a_drain_takes_one_operator_at_a_time(render: Render) -> None:
    objects = render("podDisruptionBudget.enabled=true", "replicas=2")
    [budget], [deployment] = of_kind(objects, "PodDisruptionBudget"), of_kind(objects, "Deployment")
    assert budget["spec"] == {"maxUnavailable": 1, "selector": deployment["spec"]["selector"]}
    assert not of_kind(render(), "PodDisruptionBudget")


def test_operators_are_spread_over_nodes_or_as_the_values_say(render: Render) -> None:
    [own] = pod_of(render())["topologySpreadConstraints"]
    assert (own["topologyKey"], own["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    wanted = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    settings = [f"topologySpreadConstraints[0].{key}={value}" for key, value in wanted.items()]
    assert pod_of(render(*settings))["topologySpreadConstraints"] == [wanted]


# --- some namespaces only ---------------------------------------------------------------------------------------------

NAMESPACED = ("watchNamespaces={team-a,team-b}", "crds.install=false", "web.enabled=true")
CLUSTER_KINDS = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


def test_in_some_namespaces_nothing_is_the_clusters(render: Render) -> None:
    objects = render(*NAMESPACED)
    assert not [body for body in objects if body["kind"] in CLUSTER_KINDS or "namespace" not in body["metadata"]]
    places = [body["metadata"]["namespace"] for body in of_kind(objects, "RoleBinding")]
    assert sorted(places) == ["holdfast-system", "team-a", "team-a", "team-b", "team-b"]
    for name in ("holdfast", "holdfast-web"):
        [container] = named(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
        assert environment_of(container)["HOLDFAST_WATCH_NAMESPACES"] == "team-a,team-b"


def test_the_rights_in_a_namespace_are_those_of_the_cluster_but_who_somebody_is(render: Render) -> None:
    def granted(objects: list[Object], kind: str) -> dict[str, set[tuple[str, str, str]]]:
        return {
            body["metadata"]["name"].partition(":")[2]: set(rules(body))
            for body in of_kind(objects, kind)
            if ":" in body["metadata"]["name"]
        }

    inside, everywhere = granted(render(*NAMESPACED), "Role"), granted(render("web.enabled=true"), "ClusterRole")
    reviews = {
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
    }
    local = ("authorization.k8s.io", "localsubjectaccessreviews", "create")
    assert {**inside, "holdfast:web": inside["holdfast:web"] - {local} | reviews} == everywhere


def test_bindings_bind_what_is_there_to_who_is_there(render: Render) -> None:
    for settings in ((), NAMESPACED):
        objects = render("web.enabled=true", *settings)
        there = {(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]) for body in objects}
        for body in (*of_kind(objects, "RoleBinding"), *of_kind(objects, "ClusterRoleBinding")):
            role_of_it, [subject] = body["roleRef"], body["subjects"]
            assert (role_of_it["kind"], body["metadata"].get("namespace"), role_of_it["name"]) in there
            assert (subject["kind"], subject["namespace"], subject["name"]) in there


def test_the_releases_own_namespace_is_named_by_a_variable(render: Render) -> None:
    environment = environment_of(operator_of(render("watchNamespaces={holdfast-system,team-a}")))
    assert environment["HOLDFAST_WATCH_NAMESPACES"] == "$(HOLDFAST_NAMESPACE),team-a"
    assert list(environment).index("HOLDFAST_NAMESPACE") < list(environment).index("HOLDFAST_WATCH_NAMESPACES")


def test_which_secrets_are_read_can_be_bounded(render: Render) -> None:
    for settings in ((), NAMESPACED):
        objects = render("rbac.secretNames={timetrack,smtp}", *settings)
        found = [
            rule
            for body in (*of_kind(objects, "ClusterRole"), *of_kind(objects, "Role"))
            for rule in body["rules"]
            if rule["resources"] == ["secrets"]
        ]
        assert found
        for rule in found:
            assert (rule["resourceNames"], rule["verbs"]) == (["timetrack", "smtp"], ["get"])


# --- the pods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ([], "holdfast:0.1.0"),
        (["image.repository=registry.example.com:5000/x", "image.tag=dev"], "registry.example.com:5000/x:dev"),
        (["image.tag=dev", f"image.digest={DIGEST}"], f"holdfast@{DIGEST}"),
    ],
)
def test_the_worker_uses_the_operators_image(render: Render, settings: list[str], image: str) -> None:
    container = operator_of(render(*settings, "image.pullPolicy=Never"))
    environment = environment_of(container)
    assert container["image"] == environment["HOLDFAST_IMAGE"] == image
    assert container["imagePullPolicy"] == environment["HOLDFAST_IMAGE_PULL_POLICY"] == "Never"


def test_the_pod_security_standard_restricted_is_met(render: Render) -> None:
    pod = pod_of(render())
    container = operator_of(render())
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [set(volume) - {"name"} for volume in pod["volumes"]] == [{"emptyDir"}]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]  # noqa: S108 (inside the pod)


def test_the_probes_ask_the_port_that_the_operator_opens(render: Render) -> None:
    container = operator_of(render())
    [port] = [port for port in container["ports"] if port["name"] == "health"]
    assert str(port["containerPort"]) == environment_of(container)["HOLDFAST_LIVENESS_PORT"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])


def rules(role: Object) -> Iterator[tuple[str, str, str]]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield group, resource, verb


def test_no_right_has_a_wildcard(render: Render) -> None:
    for body in of_kind(render(), "ClusterRole"):
        for rule in body["rules"]:
            assert set(rule) == {"apiGroups", "resources", "verbs"}
        assert not [rule for rule in rules(body) if "*" in "".join(rule)]


def test_the_operator_holds_what_it_grants_to_the_worker(render: Render) -> None:
    policy = BackupPolicy.model_validate(
        {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "BackupPolicy",
            "metadata": {"name": "timetrack", "namespace": "here", "uid": "1"},
            "spec": {"source": {"uriSecretRef": {"name": "timetrack"}}, "schedule": {"cron": "0 2 * * *"}},
        }
    )
    [operator] = [one for one in of_kind(render(), "ClusterRole") if one["metadata"]["name"].endswith(":holdfast")]
    assert set(rules(role(policy))) <= set(rules(operator))
    assert not {verb for _, _, verb in rules(operator)} & {"escalate", "bind", "impersonate"}
    for only_looked_at in ("secrets", "configmaps", "persistentvolumeclaims"):
        assert {verb for _, resource, verb in rules(operator) if resource == only_looked_at} == {"get"}


def test_people_get_rights_by_the_clusters_own_roles(render: Render) -> None:
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    aggregated = {
        body["metadata"]["name"].rpartition(":")[2]: {
            name.removeprefix(prefix) for name in body["metadata"]["labels"] if name.startswith(prefix)
        }
        for body in of_kind(render(), "ClusterRole")
    }
    assert aggregated == {
        "holdfast": set(),
        "view": {"view", "edit", "admin"},
        "edit": {"edit", "admin"},
        "backup": set(),
        "download": set(),
        "restore": set(),
    }
    left = [body["metadata"]["name"] for body in of_kind(render("rbac.aggregate=false"), "ClusterRole")]
    assert [name.rpartition(":")[2] for name in left] == ["holdfast", "backup", "download", "restore"]


def test_who_may_restore_has_a_role_of_their_own(render: Render) -> None:
    may_create = {
        body["metadata"]["name"].rpartition(":")[2]
        for body in of_kind(render(), "ClusterRole")
        if ("holdfast.dev", "restoreruns", "create") in set(rules(body))
    }
    assert may_create == {"restore"}, "neither the operator, nor edit and admin, may start a restore"


def test_the_crds_can_be_left_out(render: Render) -> None:
    assert not of_kind(render("crds.install=false"), "CustomResourceDefinition")


def test_every_value_arrives(render: Render) -> None:
    objects = render(
        "imagePullSecrets[0].name=registry",
        "logLevel=DEBUG",
        "resyncSeconds=7",
        "maxConcurrentRuns=9",
        "mail.name=Ops",
        "mail.colour=#123456",
        "mail.link=https://holdfast.example.com/",
        "mail.logo=iVBORw0KGgo=",
        "channels.schemes={slack,pagerduty}",
        "resources.limits.memory=1Gi",
        "podAnnotations.one=two",
        "podLabels.three=four",
        "nodeSelector.disk=fast",
        "tolerations[0].operator=Exists",
        "affinity.nodeAffinity.x=y",
        "priorityClassName=high",
        "extraEnv[0].name=HTTPS_PROXY",
        "extraEnv[0].value=http://proxy.example.com",
    )
    pod, container = pod_of(objects), operator_of(objects)
    [deployment] = of_kind(objects, "Deployment")
    metadata = deployment["spec"]["template"]["metadata"]
    assert metadata["annotations"] == {"one": "two"}
    assert metadata["labels"]["three"] == "four"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["affinity"] == {"nodeAffinity": {"x": "y"}}
    assert pod["priorityClassName"] == "high"
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    environment = environment_of(container)
    mail = [environment[f"HOLDFAST_MAIL_{word}"] for word in ("NAME", "COLOUR", "LINK", "LOGO")]
    assert mail == ["Ops", "#123456", "https://holdfast.example.com/", "iVBORw0KGgo="]
    assert environment["HOLDFAST_CHANNEL_SCHEMES"] == "slack,pagerduty"
    assert (environment["HOLDFAST_LOG_LEVEL"], environment["HOLDFAST_RESYNC_SECONDS"]) == ("DEBUG", "7")
    assert environment["HOLDFAST_MAX_CONCURRENT_RUNS"] == "9"
    assert environment["HTTPS_PROXY"] == "http://proxy.example.com"


def test_what_is_said_of_pods_arrives_at_those_of_the_web(render: Render) -> None:
    objects = render(
        "web.enabled=true", "priorityClassName=high", "nodeSelector.disk=fast", "tolerations[0].operator=Exists",
        "web.podAnnotations.one=two", "web.podLabels.three=four", "web.affinity.nodeAffinity.x=y",
        "web.extraEnv[0].name=HTTPS_PROXY", "web.extraEnv[0].value=http://proxy.example.com",
        "imagePullSecrets[0].name=registry",
    )  # fmt: skip
    template = named(objects, "Deployment", "holdfast-web")["spec"]["template"]
    pod = template["spec"]
    assert template["metadata"]["annotations"] == {"one": "two"}
    assert template["metadata"]["labels"]["three"] == "four"
    assert (pod["priorityClassName"], pod["nodeSelector"]) == ("high", {"disk": "fast"})
    assert (pod["tolerations"], pod["affinity"]) == ([{"operator": "Exists"}], {"nodeAffinity": {"x": "y"}})
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert environment_of(pod["containers"][0])["HTTPS_PROXY"] == "http://proxy.example.com"


def test_pods_of_the_web_are_spread_by_their_own_labels_or_as_the_values_say(render: Render) -> None:
    def spread(*settings: str) -> list[Object]:
        spec = named(render("web.enabled=true", *settings), "Deployment", "holdfast-web")["spec"]
        found: list[Object] = spec["template"]["spec"]["topologySpreadConstraints"]
        if not settings:
            assert found[0]["labelSelector"] == spec["selector"]
        return found

    assert [one["topologyKey"] for one in spread()] == ["kubernetes.io/hostname"]
    wanted = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    assert spread(*(f"web.topologySpreadConstraints[0].{key}={value}" for key, value in wanted.items())) == [wanted]


@pytest.mark.parametrize("digest", ["", DIGEST])
def test_every_image_of_the_release_is_the_same(program: Path, digest: str) -> None:
    settings = ("web.enabled=true", f"image.digest={digest}")
    options = [word for setting in settings for word in ("--set", setting)]
    objects = objects_in(helm(program, "template", "holdfast", str(CHART), *options))
    pods = [body["spec"]["template"]["spec"] for body in of_kind(objects, "Deployment")]
    pods += [body["spec"] for body in of_kind(objects, "Pod")]
    images = [container["image"] for pod in pods for container in pod["containers"]]
    assert images == [f"holdfast@{DIGEST}" if digest else "holdfast:0.1.0"] * 3


def test_common_labels_are_on_all_that_the_chart_makes_and_select_nothing(render: Render) -> None:
    settings = ("web.enabled=true", "networkPolicy.enabled=true", "metrics.prometheusRule.enabled=true")
    objects = render(*settings, "commonLabels.team=data", "crds.install=false")
    assert {body["metadata"]["labels"].get("team") for body in objects} == {"data"}
    for body in of_kind(objects, "Deployment"):
        assert body["spec"]["template"]["metadata"]["labels"]["team"] == "data"
        assert "team" not in body["spec"]["selector"]["matchLabels"]


def test_policies_come_from_values_and_stay_when_they_are_gone_from_there(render: Render) -> None:
    given = [
        "name=shop",
        "namespace=team",
        "labels.one=two",
        "annotations.three=four",
        "spec.source.uriSecretRef.name=x",
    ]
    [policy] = of_kind(render(*(f"policies[0].{setting}" for setting in given)), "BackupPolicy")
    metadata = policy["metadata"]
    assert (metadata["name"], metadata["namespace"], metadata["labels"]["one"]) == ("shop", "team", "two")
    assert metadata["annotations"] == {"helm.sh/resource-policy": "keep", "three": "four"}
    assert policy["spec"] == {"source": {"uriSecretRef": {"name": "x"}}}


def test_the_selector_finds_the_pod_and_never_changes(render: Render) -> None:
    [deployment] = of_kind(render("podLabels.three=four"), "Deployment")
    wanted = deployment["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(wanted)


@pytest.mark.parametrize("setting", ["image.tags=x", "watchNamespaces={Team_A}", "replicas=0", "rbac.secretNames={A}",
                                     "podDisruptionBudget.x=1", "image.pullPolicy=Sometimes", "logLevel=LOUD",
                                     "image.digest=sha256:1", "image.repository=", "resyncSeconds=0",
                                     "maxConcurrentRuns=-1", "extraEnv[0].name=HOLDFAST_IMAGE",
                                     "networkPolicy.from=x", "policies[0].name=shop",
                                     "smtp.existingSecret=A_b", "commonLabels.helm\\.sh/chart=x",
                                     "web.extraEnv[0].name=HOLDFAST_IMAGE"])  # fmt: skip
def test_a_wrong_value_is_refused(render: Render, setting: str) -> None:
    with pytest.raises(HelmFailed, match=re.escape(setting.partition("=")[0].rpartition(".")[2])):
        render(setting)


def test_tokens_for_others_cannot_be_judged_by_rights_in_some_namespaces(render: Render) -> None:
    with pytest.raises(HelmFailed, match="/web/audiences"):
        render("watchNamespaces={team-a}", "web.audiences={holdfast}")


def test_an_old_kubernetes_is_refused(program: Path) -> None:
    with pytest.raises(HelmFailed, match=r"kubeVersion: >=1\.29\.0-0"):
        helm(program, "template", "holdfast", str(CHART), "--kube-version", "1.28.9")
    helm(program, "template", "holdfast", str(CHART), "--kube-version", "1.29.0-gke.100")


@pytest.mark.parametrize("release", ["a", "holdfast", "my-holdfast", "b" * 53, "c" * 40 + "-holdfast"])
def test_names_fit_at_any_release_name(render: Render, release: str) -> None:
    for body in render("crds.install=false", release=release):
        name = body["metadata"]["name"]
        # A cluster role's name may hold a colon and be longer; all else becomes a label or a part of a pod's name.
        assert len(name) <= (63 if "namespace" in body["metadata"] else 128)
        assert "holdfast" in name


def test_releases_in_two_namespaces_share_nothing_but_crds(render: Render) -> None:
    def names(namespace: str) -> set[tuple[str, str, str]]:
        return {
            (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
            for body in render("crds.install=false", namespace=namespace)
        }

    assert not names("one") & names("two")


def test_the_readme_of_the_chart_is_made_from_its_values() -> None:
    assert (CHART / "README.md").read_text(encoding="utf-8") == chart_values.readme(), "run make generate"


def test_the_manifests_are_those_of_the_chart(render: Render) -> None:
    committed = objects_in((MANIFESTS / "holdfast.yaml").read_text(encoding="utf-8"))
    assert committed == render(), "manifests/default is stale: run make generate"
    committed = objects_in((MANIFESTS.with_name("namespaced") / "holdfast.yaml").read_text(encoding="utf-8"))
    wanted = render("watchNamespaces={my-team}", "crds.install=false", namespace="my-team")
    assert committed == wanted, "manifests/namespaced is stale: run make generate"


def kustomize(folder: Path) -> list[Object]:
    build_tools(layout(), ["kubectl"])
    command: list[str | Path] = [layout().bin / "kubectl", "kustomize", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return objects_in(done.stdout)


@pytest.mark.parametrize("overlay", ["default", "namespaced"])
def test_the_manifests_without_helm_use_one_image(overlay: str) -> None:
    container = operator_of(kustomize(MANIFESTS.with_name(overlay)))
    assert container["image"] == environment_of(container)["HOLDFAST_IMAGE"] == "registry.example.com/holdfast:0.1.0"


def test_the_manifests_without_helm_bring_their_namespace() -> None:
    objects = kustomize(MANIFESTS)
    [namespace] = of_kind(objects, "Namespace")
    assert {body["metadata"].get("namespace", namespace["metadata"]["name"]) for body in objects} == {
        namespace["metadata"]["name"]
    }


def test_the_manifests_for_one_namespace_can_be_moved_by_one_word(tmp_path: Path) -> None:
    for path in MANIFESTS.with_name("namespaced").iterdir():
        text = path.read_text(encoding="utf-8")
        if path.name == "kustomization.yaml":
            text = text.replace("namespace: my-team", "namespace: elsewhere")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    objects = kustomize(tmp_path)
    assert {body["metadata"]["namespace"] for body in objects} == {"elsewhere"}
    assert {one["namespace"] for body in of_kind(objects, "RoleBinding") for one in body["subjects"]} == {"elsewhere"}
    assert environment_of(operator_of(objects))["HOLDFAST_WATCH_NAMESPACES"] == "$(HOLDFAST_NAMESPACE)"


# --- metrics ----------------------------------------------------------------------------------------------------------


def named(objects: list[Object], kind: str, name: str) -> Object:
    [found] = [body for body in of_kind(objects, kind) if body["metadata"]["name"] == name]
    return found


def test_metrics_have_a_port_and_a_service_that_finds_the_pod(render: Render) -> None:
    objects = render()
    service = named(objects, "Service", "holdfast-metrics")
    [deployment] = of_kind(objects, "Deployment")
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert {"name": "metrics", "containerPort": 8081} in operator_of(objects)["ports"]
    assert environment_of(operator_of(objects))["HOLDFAST_METRICS_PORT"] == "8081"
    assert not {"ServiceMonitor", "PrometheusRule", "ConfigMap"} & {body["kind"] for body in objects}


def test_metrics_can_be_switched_off(render: Render) -> None:
    objects = render("metrics.enabled=false", "metrics.serviceMonitor.enabled=true")
    assert [body["metadata"]["name"] for body in of_kind(objects, "Service")] == ["holdfast-health"]
    assert not of_kind(objects, "ServiceMonitor")
    assert environment_of(operator_of(objects))["HOLDFAST_METRICS_PORT"] == "0"


def test_a_service_monitor_selects_the_service_and_keeps_the_namespace_of_a_policy(render: Render) -> None:
    objects = render("metrics.serviceMonitor.enabled=true", "metrics.serviceMonitor.labels.release=prometheus")
    monitor = named(objects, "ServiceMonitor", "holdfast")
    service = named(objects, "Service", "holdfast-metrics")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [{"port": "metrics", "interval": "30s", "honorLabels": True}]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_alerts_and_the_dashboard_are_what_is_in_the_files(render: Render) -> None:
    objects = render("metrics.prometheusRule.enabled=true", "metrics.dashboard.enabled=true")
    rule = named(objects, "PrometheusRule", "holdfast")
    assert rule["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    dashboard = named(objects, "ConfigMap", "holdfast-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["holdfast.json"]) == json.loads((CHART / "files/dashboard.json").read_text())


def test_the_web_is_not_there_until_it_is_wanted(render: Render) -> None:
    assert not [body for body in render() if body["metadata"]["name"].endswith("web")]


def rights_of_the_web(objects: list[dict[str, Any]]) -> set[tuple[str, str]]:
    [role] = [body for body in of_kind(objects, "ClusterRole") if body["metadata"]["name"].endswith(":web")]
    return {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def test_the_web_may_look_and_ask_and_no_more(render: Render) -> None:
    shown = {(kind, verb) for kind in ("backuppolicies", "backupruns", "restoreruns") for verb in ("list", "watch")}
    reviews = ("tokenreviews", "subjectaccessreviews")
    created = {(kind, "create") for kind in ("backupruns", "restoreruns", "events", *reviews)}
    held = {("backupruns", "get"), ("backupruns", "patch")}
    assert (
        rights_of_the_web(render("web.enabled=true", "web.download=Off", "web.testMail=false"))
        == shown | created | held
    )


@pytest.mark.parametrize("who", ["RBAC", "Authenticated"])
def test_the_web_may_get_secrets_while_there_are_downloads(render: Render, who: str) -> None:
    without = rights_of_the_web(render("web.enabled=true", "web.download=Off", "web.testMail=false"))
    with_them = rights_of_the_web(render("web.enabled=true", f"web.download={who}", "web.testMail=false"))
    assert with_them - without == {("secrets", "get")}


def test_the_web_may_get_what_test_mails_are_made_of_while_there_are_some(render: Render) -> None:
    without = rights_of_the_web(render("web.enabled=true", "web.download=Off", "web.testMail=false"))
    with_them = rights_of_the_web(render("web.enabled=true", "web.download=Off"))
    assert with_them - without == {("secrets", "get"), ("configmaps", "get")}


def test_admins_by_their_address_are_named_in_a_secret(render: Render) -> None:
    chosen = ("web.adminByEmail.enabled=true", "web.adminByEmail.secretName=who")
    for settings, wanted in ((chosen, {"secretKeyRef": {"name": "who", "key": "ADMIN_EMAIL"}}), (chosen[1:], None)):
        web = named(render("web.enabled=true", *settings), "Deployment", "holdfast-web")
        environment = environment_of(web["spec"]["template"]["spec"]["containers"][0])
        assert environment.get("HOLDFAST_ADMIN_EMAIL") == wanted


def test_mails_of_the_web_look_like_those_of_the_operator(render: Render) -> None:
    objects = render("web.enabled=true", "mail.name=Nightwatch", "mail.logo=iVBORw0KGgo=")
    of_operator, of_web = (
        environment_of(named(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0])
        for name in ("holdfast", "holdfast-web")
    )
    looks = {name: value for name, value in of_operator.items() if name.startswith("HOLDFAST_MAIL_")}
    assert len(looks) == 4
    assert looks.items() <= of_web.items()


@pytest.mark.parametrize("name", ["holdfast", "holdfast-web"])
def test_the_secret_of_the_one_mail_server_is_mounted_where_who_sends_mail_reads_it(render: Render, name: str) -> None:
    def folder_and_secret(*settings: str) -> tuple[str | None, str | None]:
        pod = named(render("web.enabled=true", *settings), "Deployment", name)["spec"]["template"]["spec"]
        [container] = pod["containers"]
        mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        secrets = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
        assert mounts.get("smtp") == environment_of(container).get("HOLDFAST_SMTP_FOLDER")
        return mounts.get("smtp"), secrets.get("smtp")

    assert folder_and_secret() == (None, None)
    assert folder_and_secret("smtp.existingSecret=post") == ("/var/run/holdfast/smtp", "post")


def test_the_web_has_no_mail_server_while_it_sends_no_mail(render: Render) -> None:
    web = named(
        render("web.enabled=true", "web.testMail=false", "smtp.existingSecret=post"), "Deployment", "holdfast-web"
    )
    assert "smtp" not in json.dumps(web)


def test_secrets_of_a_download_lie_on_no_disk(render: Render) -> None:
    web = named(render("web.enabled=true"), "Deployment", "holdfast-web")
    [tmp] = [one for one in web["spec"]["template"]["spec"]["volumes"] if one["name"] == "tmp"]
    assert tmp["emptyDir"]["medium"] == "Memory"


def test_the_secret_of_a_cron_elsewhere_is_handed_on(render: Render) -> None:
    def variables(*values: str) -> dict[str, Any]:
        web = named(render("web.enabled=true", *values), "Deployment", "holdfast-web")
        return {one["name"]: one for one in web["spec"]["template"]["spec"]["containers"][0]["env"]}

    assert variables()["HOLDFAST_AUTOMATED"]["value"] == "true"
    assert "HOLDFAST_CRON_SECRET" not in variables()
    assert variables("web.automated.secretName=cron")["HOLDFAST_CRON_SECRET"]["valueFrom"] == {
        "secretKeyRef": {"name": "cron", "key": "CRON_SECRET"}
    }
    assert variables("web.automated.enabled=false")["HOLDFAST_AUTOMATED"]["value"] == "false"


def test_all_pods_of_the_web_seal_sessions_with_one_key(render: Render) -> None:
    objects = render("web.enabled=true", "web.replicas=2", "web.session.minutes=15")
    secret = named(objects, "Secret", "holdfast-web-session")
    assert len(b64decode(secret["data"]["key"])) >= 32
    assert _session_of(objects) == ("holdfast-web-session", "900")


def test_a_key_of_ones_own_takes_the_place_of_the_charts(render: Render) -> None:
    objects = render("web.enabled=true", "web.session.keySecret=mine")
    assert not of_kind(objects, "Secret")
    assert _session_of(objects) == ("mine", "3600")


def _session_of(objects: list[Object]) -> tuple[str, str]:
    """The Secret that is mounted where the process reads its key, and the seconds of a session."""
    pod = named(objects, "Deployment", "holdfast-web")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    environment = environment_of(container)
    [mount] = [one for one in container["volumeMounts"] if one["name"] == "session"]
    assert environment["HOLDFAST_SESSION_KEY_FILE"] == f"{mount['mountPath']}/key"
    [volume] = [one for one in pod["volumes"] if one["name"] == "session"]
    return volume["secret"]["secretName"], environment["HOLDFAST_SESSION_SECONDS"]


def test_no_service_reaches_the_pods_of_the_other(render: Render) -> None:
    objects = render("web.enabled=true")
    pods = {
        body["metadata"]["name"]: body["spec"]["template"]["metadata"]["labels"]
        for body in of_kind(objects, "Deployment")
    }
    for service in of_kind(objects, "Service"):
        selector = service["spec"]["selector"].items()
        wanted = "holdfast-web" if service["metadata"]["name"] == "holdfast-web" else "holdfast"
        assert [name for name, labels in pods.items() if selector <= labels.items()] == [wanted]


def test_the_web_passes_pod_security_restricted(render: Render) -> None:
    [web] = [
        body for body in of_kind(render("web.enabled=true"), "Deployment") if body["metadata"]["name"].endswith("-web")
    ]
    pod = web["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["ingress.enabled=true", "ingress.tlsSecret=web-tls"], "/web/ingress/host"),
        (["ingress.enabled=true", "ingress.host=holdfast.example.com"], "/web/ingress/tlsSecret"),
        (["httpRoute.enabled=true"], "/web/httpRoute/parentRefs"),
    ],
)
def test_a_way_in_that_is_not_whole_is_refused(render: Render, settings: list[str], named: str) -> None:
    with pytest.raises(HelmFailed, match=named):
        render("web.enabled=true", *(f"web.{setting}" for setting in settings))


def service_and_port(objects: list[Object], name: str) -> tuple[str, int]:
    service = named(objects, "Service", name)
    [port] = service["spec"]["ports"]
    return port["name"], port["port"]


def test_an_ingress_leads_to_the_web_by_tls(render: Render) -> None:
    objects = render(
        "web.enabled=true", "web.ingress.enabled=true", "web.ingress.host=holdfast.example.com",
        "web.ingress.tlsSecret=web-tls", "web.ingress.className=nginx", "web.ingress.annotations.one=two",
    )  # fmt: skip
    [ingress] = of_kind(objects, "Ingress")
    [rule] = ingress["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert service_and_port(objects, backend["name"])[0] == backend["port"]["name"]
    assert ingress["spec"]["tls"] == [{"hosts": [rule["host"]], "secretName": "web-tls"}]
    assert (ingress["spec"]["ingressClassName"], ingress["metadata"]["annotations"]) == ("nginx", {"one": "two"})


def test_a_route_of_the_gateway_api_leads_to_the_web(render: Render) -> None:
    objects = render(
        "web.enabled=true", "web.httpRoute.enabled=true", "web.httpRoute.parentRefs[0].name=gateway",
        "web.httpRoute.parentRefs[0].sectionName=https", "web.httpRoute.hostnames={holdfast.example.com}",
    )  # fmt: skip
    [route] = of_kind(objects, "HTTPRoute")
    assert route["spec"]["parentRefs"] == [{"name": "gateway", "sectionName": "https"}]
    assert route["spec"]["hostnames"] == ["holdfast.example.com"]
    [[backend]] = [rule["backendRefs"] for rule in route["spec"]["rules"]]
    assert service_and_port(objects, backend["name"])[1] == backend["port"]


def test_a_drain_takes_one_pod_of_the_web_at_a_time_and_is_never_stopped(render: Render) -> None:
    objects = render("web.enabled=true", "web.replicas=2", "web.podDisruptionBudget.enabled=true")
    [budget] = of_kind(objects, "PodDisruptionBudget")
    web = named(objects, "Deployment", "holdfast-web")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == web["spec"]["selector"]


def test_no_way_to_the_web_is_made_while_there_is_none(render: Render) -> None:
    ways = ["ingress.enabled=true", "ingress.host=x", "ingress.tlsSecret=x", "podDisruptionBudget.enabled=true"]
    kinds = {body["kind"] for body in render(*(f"web.{way}" for way in ways), "networkPolicy.enabled=true")}
    assert not {"Ingress", "HTTPRoute", "PodDisruptionBudget"} & kinds


# --- the network ------------------------------------------------------------------------------------------------------

TEST_LABELS = {
    "app.kubernetes.io/name": "holdfast",
    "app.kubernetes.io/instance": "holdfast",
    "app.kubernetes.io/component": "test",
}
TEST_PODS = {"podSelector": {"matchLabels": TEST_LABELS}}


def test_only_metrics_and_the_web_are_reached(render: Render) -> None:
    objects = render("networkPolicy.enabled=true", "web.enabled=true")
    for name, port in (("holdfast", "metrics"), ("holdfast-web", "http")):
        spec = named(objects, "NetworkPolicy", name)["spec"]
        deployment = named(objects, "Deployment", name)["spec"]
        [container] = deployment["template"]["spec"]["containers"]
        assert spec["podSelector"] == deployment["selector"]
        assert spec["policyTypes"] == ["Ingress"]
        assert {"ports": [{"port": port}]} in spec["ingress"]
        assert [rule for rule in spec["ingress"] if "from" not in rule] == [{"ports": [{"port": port}]}]
        assert port in [one["name"] for one in container["ports"]]


def test_nothing_is_reached_where_there_are_no_metrics(render: Render) -> None:
    [policy] = of_kind(render("networkPolicy.enabled=true", "metrics.enabled=false"), "NetworkPolicy")
    assert policy["spec"]["ingress"] == [{"ports": [{"port": "health"}], "from": [TEST_PODS]}]


def test_the_network_policy_names_who_may_come_and_where_to_go(render: Render) -> None:
    objects = render(
        "networkPolicy.enabled=true", "web.enabled=true",
        "networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus",
        "networkPolicy.webFrom[0].podSelector.matchLabels.app=nginx", "networkPolicy.egress[0].ports[0].port=443",
    )  # fmt: skip
    operator, web = (named(objects, "NetworkPolicy", name)["spec"] for name in ("holdfast", "holdfast-web"))
    assert operator["ingress"][1]["from"] == [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]
    assert web["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"app": "nginx"}}}, TEST_PODS]
    assert (operator["policyTypes"], operator["egress"]) == (["Ingress", "Egress"], [{"ports": [{"port": 443}]}])


# --- helm test --------------------------------------------------------------------------------------------------------


def test_helm_test_asks_operator_and_web_without_a_token(program: Path) -> None:
    settings = ("--set", "web.enabled=true,networkPolicy.enabled=true")
    objects = objects_in(helm(program, "template", "holdfast", str(CHART), *settings))
    [pod] = of_kind(objects, "Pod")
    [container] = pod["spec"]["containers"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["metadata"]["labels"] == TEST_LABELS
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert container["image"] == "holdfast:0.1.0"
    asked = [word for word in container["command"] if word.startswith("http://")]
    services = {one["metadata"]["name"]: one["spec"]["ports"][0]["port"] for one in of_kind(objects, "Service")}
    for url in asked:
        host, _, port = url.removeprefix("http://").rpartition("/")[0].partition(":")
        assert services[host] == int(port)
    assert len(asked) == 2
