import Glibc

/// Memory in whole pages straight from the kernel, apart from the heap: what is given back is gone at once and leaves no
/// holes between small objects.
package enum Pages {
    /// Takes `count` bytes, a multiple of the page size, that hold zeros; pages that are never touched cost nothing.
    package static func take(_ count: Int) -> UnsafeMutableRawPointer {
        let memory = mmap(nil, count, PROT_READ | PROT_WRITE, CInt(MAP_PRIVATE) | CInt(MAP_ANONYMOUS), -1, 0)
        guard let memory, memory != MAP_FAILED else { fatalError("out of memory") }
        return memory
    }

    /// Gives back what was taken with the same count.
    package static func give(_ memory: UnsafeMutableRawPointer, _ count: Int) { munmap(memory, count) }
}
