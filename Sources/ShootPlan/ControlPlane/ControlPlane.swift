/// Renders the control plane of a shoot as objects of its seed.
package enum ControlPlane {}
