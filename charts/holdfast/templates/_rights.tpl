{{/*
A role of this release: a ClusterRole, or a Role in each of watchNamespaces. With an account, it is bound to that.
Given: root, suffix (what its name ends with), rules, labels, account, aggregate (to which of the cluster's own roles).
*/}}
{{- define "holdfast.role" -}}
{{- $name := printf "%s%s" (include "holdfast.clusterName" .root) .suffix -}}
{{- $given := . -}}
{{- $places := .root.Values.watchNamespaces | default (list "") -}}
{{- range $place := $places }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "Role" "ClusterRole" (ne $place "") }}
metadata:
  name: {{ $name }}
  {{- with $place }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- $given.labels | nindent 4 }}
    {{- if not $place }}
    {{- range $given.aggregate }}
    rbac.authorization.k8s.io/aggregate-to-{{ . }}: "true"
    {{- end }}
    {{- end }}
rules:
  {{- $given.rules | nindent 2 }}
{{- with $given.account }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "RoleBinding" "ClusterRoleBinding" (ne $place "") }}
metadata:
  name: {{ $name }}
  {{- with $place }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- $given.labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ ternary "Role" "ClusterRole" (ne $place "") }}
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ . }}
    namespace: {{ $given.root.Release.Namespace }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "holdfast.operatorRules" -}}
- apiGroups: [holdfast.dev]
  resources: [backuppolicies]
  verbs: [get, list, watch]
# delete: for the limits of the history; and OwnerReferencesPermissionEnforcement asks it of who gives a run its owner.
- apiGroups: [holdfast.dev]
  resources: [backupruns]
  verbs: [get, list, watch, create, patch, delete]
# Never created here: a restore is a person's wish.
- apiGroups: [holdfast.dev]
  resources: [restoreruns]
  verbs: [get, list, watch]
- apiGroups: [holdfast.dev]
  resources: [backuppolicies/status, backupruns/status, restoreruns/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [get, list, watch, create, patch, delete]
# The archivers of oplogs.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# Why a run does not start. get: a worker looks at the pod whose lock is in its way, and nobody gives what they have not.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
# Whether the Secret and the key that a policy names are there. Never listed, never watched.
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
# Templates of mails that a policy names. Never listed, never watched.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
# Whether the claim that a policy names for its backups is there.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
# Of the worker, one for each policy. Neither escalate nor bind: the operator holds all that it grants. It deletes none
# of them: they go with their policy.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch]
{{- end -}}

{{- define "holdfast.webRules" -}}
# What it shows, each user only what that user may see.
- apiGroups: [holdfast.dev]
  resources: [backuppolicies, backupruns, restoreruns]
  verbs: [list, watch]
# A backup for who may create one, and an event that says who it was.
- apiGroups: [holdfast.dev]
  resources: [backupruns]
  verbs: [create]
# To hold the backup of a run, and to let it go, for who may patch runs.
- apiGroups: [holdfast.dev]
  resources: [backupruns]
  verbs: [get, patch]
# A restore for who may create one.
- apiGroups: [holdfast.dev]
  resources: [restoreruns]
  verbs: [create]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- if or (ne .Values.web.download "Off") .Values.web.testMail }}
# Those that lead to a policy's backups, while somebody downloads one; those with its mail settings, while somebody tries
# them. Never listed, never watched.
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
{{- end }}
{{- if .Values.web.testMail }}
# Templates of mails that a policy names. Never listed, never watched.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- end }}
{{- if .Values.watchNamespaces }}
# What a user may do in this namespace. Who a user is, users' own tokens ask.
- apiGroups: [authorization.k8s.io]
  resources: [localsubjectaccessreviews]
  verbs: [create]
{{- else }}
# Who a user is.
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
# What a user may do.
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
{{- end -}}

{{- define "holdfast.viewRules" -}}
- apiGroups: [holdfast.dev]
  resources: [backuppolicies, backupruns, restoreruns]
  verbs: [get, list, watch]
{{- end -}}

{{- define "holdfast.editRules" -}}
- apiGroups: [holdfast.dev]
  resources: [backuppolicies, backupruns]
  verbs: [create, update, patch, delete, deletecollection]
# No object: a mail with sample data to a policy's own recipients.
- apiGroups: [holdfast.dev]
  resources: [backuppolicies/testemail]
  verbs: [create]
{{- end -}}

{{- define "holdfast.backupRules" -}}
{{ include "holdfast.viewRules" . }}
- apiGroups: [holdfast.dev]
  resources: [backupruns]
  verbs: [create]
{{- end -}}

{{- define "holdfast.downloadRules" -}}
{{ include "holdfast.viewRules" . }}
- apiGroups: [holdfast.dev]
  resources: [backupruns/download]
  verbs: [get]
{{- end -}}

{{- define "holdfast.restoreRules" -}}
{{ include "holdfast.viewRules" . }}
- apiGroups: [holdfast.dev]
  resources: [restoreruns]
  verbs: [create, delete]
{{- end -}}
