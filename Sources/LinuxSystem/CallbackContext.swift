/// The `void *` that a C library keeps for its callbacks, where that is an object; the object stays its owner's.
extension UnsafeMutableRawPointer {
    /// What to give the library; it must not call back when the object is gone.
    package init(to object: AnyObject) { self = Unmanaged.passUnretained(object).toOpaque() }

    /// The object that the library was given.
    package func object<Object: AnyObject>(_ type: Object.Type) -> Object {
        Unmanaged<Object>.fromOpaque(self).takeUnretainedValue()
    }
}
