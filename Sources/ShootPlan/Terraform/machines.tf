# The machines of a shoot at AWS: one scaling group for each pool.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "name" { type = string }
# Tells this shoot from one of the same name that another garden has in this account.
variable "identity" { type = string }
variable "region" { type = string }
variable "subnets" { type = list(string) }
variable "securityGroup" { type = string }
variable "simulated" { type = bool }
variable "pools" {
  type = map(object({
    name        = string
    minimum     = number
    maximum     = number
    machineType = string
    image       = string
    volumeSize  = number
    userData    = string
  }))
}

provider "aws" {
  region                      = var.region
  skip_credentials_validation = var.simulated
  skip_requesting_account_id  = var.simulated
  skip_region_validation      = var.simulated
  skip_metadata_api_check     = var.simulated
  default_tags { tags = merge(local.own, { Name = var.name }) }
}
locals {
  # What the tag is on belongs to this shoot, and nothing else does.
  own      = merge(local.cluster, { (local.identity) = var.identity })
  cluster  = { "kubernetes.io/cluster/${var.name}" = "1" }
  identity = "tendril.dev/identity"
  # Machines are looked for where they are: tags of a group reach only those that it starts afterwards.
  places = length(var.subnets) > 0 ? [var.subnets] : []
}

resource "aws_launch_template" "pool" {
  for_each               = var.pools
  name                   = each.value.name
  image_id               = each.value.image
  instance_type          = each.value.machineType
  user_data              = each.value.userData
  update_default_version = true
  tags                   = { "tendril.dev/pool" = each.key }
  network_interfaces { security_groups = [var.securityGroup] }
  block_device_mappings {
    device_name = "/dev/sda1"
    ebs {
      volume_size = each.value.volumeSize
      encrypted   = true
    }
  }
  # Pods do not reach the metadata service: its answers are for one hop, and only for those who ask for a session first.
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  # What an earlier release made keeps the name that it has: with another one it would be made anew.
  lifecycle { ignore_changes = [name] }
}
resource "aws_autoscaling_group" "pool" {
  for_each                  = var.pools
  name                      = each.value.name
  min_size                  = each.value.minimum
  max_size                  = each.value.maximum
  vpc_zone_identifier       = var.subnets
  wait_for_capacity_timeout = "0"
  # Who ends has been emptied first; what the group ends by itself, because it got smaller, is what came last.
  suspended_processes  = ["AZRebalance"]
  termination_policies = ["NewestInstance"]
  launch_template {
    id      = aws_launch_template.pool[each.key].id
    version = aws_launch_template.pool[each.key].latest_version
  }
  dynamic "tag" {
    for_each = merge(local.own, { Name = var.name, "tendril.dev/pool" = each.key })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
  lifecycle { ignore_changes = [name] }
}

# What a run made that was killed before it could write that down is taken over instead of being made a second time.
data "aws_resourcegroupstaggingapi_resources" "templates" {
  resource_type_filters = ["ec2:launch-template"]
  tag_filter {
    key    = local.identity
    values = [var.identity]
  }
}
data "aws_autoscaling_groups" "there" {
  for_each = var.pools
  filter {
    name   = "tag:${local.identity}"
    values = [var.identity]
  }
  filter {
    name   = "tag:tendril.dev/pool"
    values = [each.key]
  }
}
import {
  for_each = {
    for found in data.aws_resourcegroupstaggingapi_resources.templates.resource_tag_mapping_list :
    found.tags["tendril.dev/pool"] => reverse(split("/", found.resource_arn))[0]
    if contains(keys(var.pools), lookup(found.tags, "tendril.dev/pool", ""))
  }
  to = aws_launch_template.pool[each.key]
  id = each.value
}
import {
  for_each = { for pool, found in data.aws_autoscaling_groups.there : pool => one(found.names) if length(found.names) > 0 }
  to       = aws_autoscaling_group.pool[each.key]
  id       = each.value
}

# The Nodes of machines that are gone are removed by this.
data "aws_instances" "there" {
  instance_tags        = local.cluster
  instance_state_names = ["pending", "running"]
  depends_on           = [aws_autoscaling_group.pool]
  dynamic "filter" {
    for_each = local.places
    content {
      name   = "subnet-id"
      values = filter.value
    }
  }
}
data "aws_instances" "pool" {
  for_each             = var.pools
  instance_tags        = merge(local.cluster, { "tendril.dev/pool" = each.key })
  instance_state_names = ["pending", "running"]
  depends_on           = [aws_autoscaling_group.pool]
  dynamic "filter" {
    for_each = local.places
    content {
      name   = "subnet-id"
      values = filter.value
    }
  }
}

output "addresses" { value = data.aws_instances.there.private_ips }
# By their addresses, as Nodes say them; nothing while one of them has none yet.
output "instances" {
  value = (
    length(data.aws_instances.there.private_ips) == length(data.aws_instances.there.ids)
    ? zipmap(data.aws_instances.there.private_ips, data.aws_instances.there.ids) : {}
  )
}
output "machines" { value = { for name, found in data.aws_instances.pool : name => found.private_ips } }
output "desired" { value = { for name, group in aws_autoscaling_group.pool : name => group.desired_capacity } }
output "groups" { value = { for name, group in aws_autoscaling_group.pool : name => group.name } }
