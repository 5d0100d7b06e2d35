# shellcheck shell=bash
# A shoot at AWS: the real Terraform and provider against a simulator, and a machine that boots from the user data in it.

# Where the coordinator is, too: it speaks with this host alone without TLS.
CLOUD=127.0.0.1
aws() { # PYTHON: with clients ec2 and groups of the simulator
  in_ns op env AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=eu-central-1 python3 -c "
import base64, boto3
ec2, groups = (boto3.client(name, endpoint_url='http://$CLOUD:5000') for name in ('ec2', 'autoscaling'))
$1"
}
vpcs() { aws "print(len([v for v in ec2.describe_vpcs()['Vpcs'] if not v['IsDefault']]))"; }
cloud_coordinator() { kept cloud-coordinator "$RIG/cloud/coordinator.yaml"; }
cloud_shoot() { k -n demo get shoot cloud -o "jsonpath={.status.$1}"; }

shoot_cloud() { # Terraform is killed in the middle and goes on where it was; the machine group's user data boots a node
  local mirror missing=()
  mirror=${TF_PLUGINS:-$(compgen -G "/opt/*/registry.terraform.io" | head -1 | xargs -r dirname)}
  [[ -n $(type -P terraform || type -P tofu) ]] || missing+=("terraform or tofu")
  [[ -e $mirror/registry.terraform.io/hashicorp/aws ]] || missing+=("a mirror of providers with hashicorp/aws (TF_PLUGINS)")
  python3 -c 'import moto.server, boto3' 2>/dev/null || missing+=("moto[server] and boto3 of PyPI")
  ((${#missing[@]} == 0)) || { say "  left out, for this machine lacks: ${missing[*]}"; return 0; }
  mkdir -p "$RIG/cloud"; chmod 700 "$RIG/cloud"
  printf 'disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror { path = "%s" }\n}\n' "$mirror" >"$RIG/cloud/cli.tfrc"
  # In moto 5 a group cannot start an instance from a later version of a template, for its user data is still plain text.
  start moto ip netns exec "$RIG_NAME-op" python3 -c "
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.utils import parse_user_data
from moto.server import main
def user_data(version):
    data = version.data.get('UserData')
    return parse_user_data(data) if isinstance(data, str) else data
LaunchTemplateVersion.user_data = property(user_data)
main(['-H', '$CLOUD', '-p', '5000'])"
  # A coordinator of another seed, which is the same cluster: it runs beside it, where Terraform is.
  ip -n "$RIG_NAME-op" route replace $SERVICES.0.0/16 via $CONTROL_PLANE
  {
    sed -e 's/^seed: .*/seed: cloud/' -e '/^metrics:/d' -e '/^webhook:/d' -e 's/^  - name: default/  - name: default\n    ami: ami-12c6146b/' "$RIG/overlay/coordinator.yaml"
    printf '%s\n' "gardenKubeconfig: $PKI/admin.kubeconfig" "seedKubeconfig: $PKI/admin.kubeconfig" \
      "terraform: {program: $(type -P terraform || type -P tofu), workspace: $RIG/cloud/workspace, configuration: $RIG/cloud/cli.tfrc, endpoint: 'http://$CLOUD:5000'}"
  } >"$RIG/cloud/coordinator.yaml"
  k apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Secret
metadata: {name: cloud-credentials, namespace: demo}
stringData: {accessKeyID: test, secretAccessKey: canary-$$}
---
apiVersion: tendril.dev/v1alpha1
kind: Seed
metadata: {name: cloud}
spec:
  region: eu-central-1
  networks: {pods: $SEED_PODS/16, services: $SERVICES.0.0/16, nodes: 10.3.0.0/16}
  exposure: {type: NodePort, address: $CONTROL_PLANE}
  storageClassName: host-path
---
apiVersion: tendril.dev/v1alpha1
kind: Shoot
metadata: {name: cloud, namespace: demo}
spec:
  seedName: cloud
  region: eu-central-1
  kubernetes: {version: $KUBERNETES_VERSION}
  networking: {type: overlay}
  provider: {type: aws, infrastructure: {zones: [eu-central-1a, eu-central-1b], credentials: cloud-credentials}}
  workers: [{name: worker, minimum: 1, maximum: 2, machineType: t3.medium}]
YAML
  cloud_coordinator
  until_ok 60 eval '[[ $(vpcs) == 1 ]]' || fail "no network: $(tail -5 "$RIG/log/cloud-coordinator.log")"
  # The coordinator dies in the middle; Terraform, a process group of its own, may go on beside the next one for a moment.
  kill -KILL -- "-$(<"$RIG/run/cloud-coordinator.pid")"; rm "$RIG/run/cloud-coordinator.pid"; sleep 1
  cloud_coordinator
  until_ok 200 eval "aws 'assert len(groups.describe_auto_scaling_groups()[\"AutoScalingGroups\"]) == 1'" || fail "no group: $(cloud_shoot lastOperation)"
  [[ $(vpcs) == 1 ]] || fail "$(vpcs) networks"
  [[ $(aws "print(groups.describe_auto_scaling_groups()['AutoScalingGroups'][0]['AutoScalingGroupName'])") =~ ^shoot--demo--cloud\.[0-9a-f]{8}\.worker$ ]] || fail "another name"
  cloud_user_data >"$RIG/cloud/userdata"
  MACHINE_FILES=$RIG/worker-files "$HERE/machine.sh" up ip-250-60 60 "$RIG/cloud/userdata"
  until_ok 200 eval '[[ $(cloud_shoot lastOperation.state) == Succeeded ]]' || fail "$(cloud_shoot lastOperation)"
  [[ $(cloud_shoot infrastructure.vpc) == vpc-* ]] || fail "$(cloud_shoot infrastructure)"
  ! grep -q "canary-$$" "$RIG/log/cloud-coordinator.log" || fail "a credential is in the log"
  # The simulator shows tags of a new template that nobody asked for; the next run of Terraform takes them away.
  k -n demo annotate shoot cloud tendril.dev/operation=reconcile >/dev/null
  until_ok 90 eval '(($(grep -c "part=machines plan=" "$RIG/log/cloud-coordinator.log") > 1)) && [[ $(cloud_shoot lastOperation.state) == Succeeded ]]' || fail "$(cloud_shoot lastOperation)"
  # What `plan` says that Terraform would do is what it does.
  local pools='[{"name":"worker","minimum":1,"maximum":3,"machineType":"t3.medium"},{"name":"more","minimum":0,"maximum":1,"machineType":"t3.medium"}]' sum
  k -n demo get shoot cloud -o json | python3 -c 'import json,sys; s=json.load(sys.stdin); s["spec"]["workers"]=json.loads(sys.argv[1]); del s["status"]; print(json.dumps(s))' "$pools" >"$WORK/cloud.json"
  sum=$(t shoot plan -f "$WORK/cloud.json" | grep -oE "[0-9]+ to add, [0-9]+ to change, [0-9]+ to destroy") || fail "$(t shoot plan -f "$WORK/cloud.json" 2>&1)"
  [[ $sum == "2 to add, 1 to change, 0 to destroy" ]] || fail "$sum"
  k -n demo patch shoot cloud --type=merge -p "{\"spec\":{\"workers\":$pools}}" >/dev/null
  until_ok 90 grep -q "part=machines plan=.*$sum" "$RIG/log/cloud-coordinator.log" || fail "$(grep part=machines "$RIG/log/cloud-coordinator.log")"
  until_ok 90 cloud_settled || fail "$(cloud_shoot lastOperation)"
}

# cloud_kubectl: kubectl for the shoot at AWS
cloud_kubectl() { k -n demo get secret cloud.kubeconfig -o jsonpath='{.data.kubeconfig}' | base64 -d >"$WORK/cloud.kubeconfig"; kubectl_at op "$WORK/cloud.kubeconfig" "$@"; }
cloud_settled() { succeeded cloud; }
# cloud_user_data: what machines of the pool `worker` start with
cloud_user_data() { aws "template = next(t for t in ec2.describe_launch_templates()['LaunchTemplates'] if t['LaunchTemplateName'].endswith('.worker'))['LaunchTemplateId']
version = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=['\$Latest'])['LaunchTemplateVersions'][0]
print(base64.b64decode(version['LaunchTemplateData']['UserData']).decode(), end='')"; }
cloud_group="group = next(g for g in groups.describe_auto_scaling_groups()['AutoScalingGroups'] if g['AutoScalingGroupName'].endswith('.worker'))
there = [i['InstanceId'] for i in group['Instances']]"

shoot_cloud_replace() { # at a scaling group a machine of the new type comes first, then just the old one ends
  [[ -e $RIG/run/cloud-coordinator.pid ]] || { say "  left out with cloud"; return 0; }
  local instance
  # The simulator's instance gets the address of the machine that stands for it.
  instance=$(aws "$cloud_group
old = ec2.describe_instances(InstanceIds=there)['Reservations'][0]['Instances'][0]
subnet = next(s['SubnetId'] for s in ec2.describe_subnets()['Subnets'] if s['CidrBlock'].startswith('$NET.0/'))
new = ec2.run_instances(ImageId=old['ImageId'], MinCount=1, MaxCount=1, SubnetId=subnet, PrivateIpAddress='$NET.60')['Instances'][0]['InstanceId']
ec2.create_tags(Resources=[new], Tags=[t for t in old['Tags'] if not t['Key'].startswith('aws:')])
name = group['AutoScalingGroupName']
groups.attach_instances(InstanceIds=[new], AutoScalingGroupName=name)
groups.detach_instances(InstanceIds=there, AutoScalingGroupName=name, ShouldDecrementDesiredCapacity=True)
ec2.terminate_instances(InstanceIds=there)
print(new)")
  k -n demo get shoot cloud -o json | python3 -c 'import json,sys; print(json.dumps({"spec": {"workers": [dict(w, machineType="t3.large") if w["name"] == "worker" else w for w in json.load(sys.stdin)["spec"]["workers"]]}}))' >"$WORK/cloud.patch"
  k -n demo patch shoot cloud --type=merge -p "$(<"$WORK/cloud.patch")" >/dev/null
  until_ok 120 aws "$cloud_group
assert group['DesiredCapacity'] == 2" || fail "$(tail -5 "$RIG/log/cloud-coordinator.log")"
  cloud_user_data >"$RIG/cloud/userdata"
  MACHINE_FILES=$RIG/worker-files "$HERE/machine.sh" up ip-250-61 61 "$RIG/cloud/userdata"
  until_ok 200 aws "$cloud_group
assert '$instance' not in there and group['DesiredCapacity'] == 1" || fail "$(k -n demo get events | tail -5)"
  "$HERE/machine.sh" down ip-250-60
  until_ok 200 cloud_settled || fail "$(cloud_shoot lastOperation) $(cloud_shoot lastErrors)"
  until_ok 60 eval '[[ $(cloud_kubectl get nodes -o name) == node/ip-250-61 ]]' || fail "$(cloud_kubectl get nodes)"
  ! grep -q "canary-$$" "$RIG/log/cloud-coordinator.log" || fail "a credential is in the log"
}

shoot_cloud_fails() { # what the cloud refuses is told with its code; a deletion removes what Terraform made, and only then the rest
  [[ -e $RIG/run/cloud-coordinator.pid ]] || { say "  left out with cloud"; return 0; }
  local zones='{"spec":{"provider":{"infrastructure":{"zones":["eu-central-1a","eu-central-1b"ZONE]}}}}'
  k -n demo patch shoot cloud --type=merge -p "${zones/ZONE/,\"eu-central-1z\"}" >/dev/null
  until_ok 60 eval '[[ $(cloud_shoot lastErrors) == *ERR_CONFIGURATION_PROBLEM*terraform*network*eu-central-1z* ]]' || fail "$(cloud_shoot lastErrors)"
  k -n demo patch shoot cloud --type=merge -p "${zones/ZONE/}" >/dev/null
  until_ok 120 cloud_settled || fail "$(cloud_shoot lastOperation)"
  [[ -z $(cloud_shoot lastErrors) ]] || fail "the error stays"
  # A machine ends, and the cloud knows nothing of it: its Node goes with the next look at everything.
  local node; node=$(cd "$RIG/machines" && compgen -G "ip-250-*" | head -1)
  "$HERE/machine.sh" down "$node"
  until_ok 90 eval '[[ $(cloud_kubectl get node $node -o jsonpath="{.status.conditions[?(@.type==\"Ready\")].status}") == Unknown ]]' || fail "$(cloud_kubectl get nodes)"
  k -n demo annotate shoot cloud tendril.dev/operation=reconcile >/dev/null
  until_ok 90 eval '! cloud_kubectl get node $node' || fail "$(cloud_kubectl get nodes)"
  k -n demo annotate shoot cloud confirmation.tendril.dev/deletion=true >/dev/null
  k -n demo delete shoot cloud --wait=false >/dev/null
  until_ok 240 eval '! k -n demo get shoot cloud' || fail "$(k -n demo get shoot cloud -o yaml | tail -30)"
  [[ $(vpcs) == 0 ]] || fail "a network is left"
  ! k get namespace shoot--demo--cloud 2>/dev/null || fail "the namespace is left"
  stop cloud-coordinator; stop moto; k delete seed cloud >/dev/null
}
