{{/* The name of what the operator owns in this release. */}}
{{- define "holdfast.name" -}}
{{- if contains "holdfast" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-holdfast" (.Release.Name | trunc 41 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* A cluster role is not in a namespace: two releases of one name must not share one. */}}
{{- define "holdfast.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "holdfast.name" .) -}}
{{- end -}}

{{- define "holdfast.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "holdfast.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "holdfast.selector" -}}
app.kubernetes.io/name: holdfast
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "holdfast.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The web's pods are not the operator's: no Service of one may reach the other. */}}
{{- define "holdfast.webLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "holdfast.webSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "holdfast.webSelector" -}}
app.kubernetes.io/name: holdfast
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: web
{{- end -}}

{{/* For all pods of a test, which no Service and no Deployment may take for their own. */}}
{{- define "holdfast.testLabels" -}}
app.kubernetes.io/name: holdfast
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end -}}

{{/* How pods are spread: as the values say, or over nodes. Given: constraints, selector. */}}
{{- define "holdfast.spread" -}}
{{- if .constraints -}}
{{- toYaml .constraints }}
{{- else -}}
- topologyKey: kubernetes.io/hostname
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- .selector | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* The release's own namespace by a variable, so that whatever moves the manifests elsewhere need not know of this. */}}
{{- define "holdfast.watched" -}}
{{- $own := .Release.Namespace -}}
{{- $names := list -}}
{{- range .Values.watchNamespaces }}
{{- $names = append $names (ternary "$(HOLDFAST_NAMESPACE)" . (eq . $own)) -}}
{{- end }}
{{- join "," $names -}}
{{- end -}}

{{/* How mails look, and where the settings of a server are, for whoever sends them. */}}
{{- define "holdfast.mailEnv" -}}
- name: HOLDFAST_MAIL_NAME
  value: {{ .Values.mail.name | quote }}
- name: HOLDFAST_MAIL_COLOUR
  value: {{ .Values.mail.colour | quote }}
- name: HOLDFAST_MAIL_LINK
  value: {{ .Values.mail.link | quote }}
{{- with .Values.mail.logo }}
- name: HOLDFAST_MAIL_LOGO
  value: {{ . | quote }}
{{- end }}
{{- if .Values.smtp.existingSecret }}
- name: HOLDFAST_SMTP_FOLDER
  value: /var/run/holdfast/smtp
{{- end }}
{{- end -}}

{{/* The mail server that is lent to policies: mounted, so that a changed Secret counts without a new pod. */}}
{{- define "holdfast.smtpMount" -}}
{{- if .Values.smtp.existingSecret -}}
- name: smtp
  mountPath: /var/run/holdfast/smtp
  readOnly: true
{{- end }}
{{- end -}}

{{- define "holdfast.smtpVolume" -}}
{{- with .Values.smtp.existingSecret -}}
- name: smtp
  secret:
    secretName: {{ . | quote }}
{{- end }}
{{- end -}}
