//! Caches the forms in which devices need a batch's integers, for as long as the batch lives.

use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError},
};

/// The device forms of a host value, each created when it is first used. Clones share them. Backends
/// that read the host's memory need none.
#[derive(Clone, Default)]
pub struct DeviceForms(Arc<Mutex<Vec<Box<dyn Any + Send + Sync>>>>);

impl DeviceForms {
    /// Returns the form of type `T` that satisfies `is_wanted`, creating it if necessary.
    pub fn get<T: Clone + Send + Sync + 'static>(
        &self,
        is_wanted: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> T {
        // A panic in `make` leaves the list unchanged and valid.
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_type = forms.iter().filter_map(|form| form.downcast_ref::<T>());
        if let Some(form) = of_type.find(|form| is_wanted(form)) {
            return form.clone();
        }
        let form = make();
        forms.push(Box::new(form.clone()));
        form
    }

    /// Returns the number of forms.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_made_once_for_all_clones() {
        let forms = DeviceForms::default();
        let get = |forms: &DeviceForms, device: u8, text: &str| {
            forms.get::<(u8, String)>(|form| form.0 == device, || (device, text.into()))
        };
        assert_eq!(get(&forms, 0, "first").1, "first");
        assert_eq!(get(&forms.clone(), 0, "second").1, "first");
        assert_eq!(get(&forms, 1, "other device").1, "other device");
        assert_eq!(forms.get::<u8>(|_| true, || 7), 7);
        assert_eq!(forms.count(), 3);
    }
}
