# The network of a shoot at AWS. Whatever its owner says comes as a variable: nothing here is made from text.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "name" { type = string }
# Tells this shoot from one of the same name that another garden has in this account.
variable "identity" { type = string }
variable "region" { type = string }
variable "zones" { type = list(string) }
variable "nodes" { type = string }
variable "simulated" { type = bool }

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
  own      = { "kubernetes.io/cluster/${var.name}" = "1", (local.identity) = var.identity }
  identity = "tendril.dev/identity"
  # One of eight parts of the range for each zone: a zone more changes nothing of those that there are.
  bits = 3
}

resource "aws_vpc" "shoot" {
  cidr_block           = var.nodes
  enable_dns_hostnames = true
  enable_dns_support   = true
}
resource "aws_internet_gateway" "shoot" { vpc_id = aws_vpc.shoot.id }
resource "aws_subnet" "nodes" {
  for_each                = { for index, zone in var.zones : zone => index }
  vpc_id                  = aws_vpc.shoot.id
  cidr_block              = cidrsubnet(var.nodes, local.bits, each.value)
  availability_zone       = each.key
  map_public_ip_on_launch = true
}
# Table and group that every network is born with are taken over: they cannot be there twice.
resource "aws_default_route_table" "shoot" {
  default_route_table_id = aws_vpc.shoot.default_route_table_id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.shoot.id
  }
}
# Nodes dial out; nobody dials in but other nodes.
resource "aws_default_security_group" "nodes" {
  vpc_id = aws_vpc.shoot.id
  ingress {
    from_port = 0
    to_port   = 0
    protocol  = "-1"
    self      = true
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

# What a run made that was killed before it could write that down is taken over instead of being made a second time.
data "aws_vpcs" "there" { tags = local.own }
data "aws_subnets" "there" {
  for_each = toset(var.zones)
  tags     = local.own
  filter {
    name   = "availability-zone"
    values = [each.key]
  }
}
data "aws_resourcegroupstaggingapi_resources" "gateways" {
  resource_type_filters = ["ec2:internet-gateway"]
  tag_filter {
    key    = local.identity
    values = [var.identity]
  }
}
import {
  for_each = toset(data.aws_vpcs.there.ids)
  to       = aws_vpc.shoot
  id       = each.value
}
import {
  for_each = { for zone, found in data.aws_subnets.there : zone => one(found.ids) if length(found.ids) > 0 }
  to       = aws_subnet.nodes[each.key]
  id       = each.value
}
locals {
  gateways = sort([
    for found in data.aws_resourcegroupstaggingapi_resources.gateways.resource_tag_mapping_list :
    reverse(split("/", found.resource_arn))[0]
  ])
}
# Tags show late what there is: there may be two of them, and no plan takes both over for one resource.
import {
  for_each = toset(slice(local.gateways, 0, min(length(local.gateways), 1)))
  to       = aws_internet_gateway.shoot
  id       = each.value
}

output "vpc" { value = aws_vpc.shoot.id }
output "subnets" { value = values(aws_subnet.nodes)[*].id }
output "securityGroup" { value = aws_default_security_group.nodes.id }
