//! What backends make of a batch's integers on their devices, made once and kept as long as the batch.

use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError},
};

/// Forms of one host value, each made at its first use. Clones share them. Backends that read the
/// host's memory make none.
#[derive(Clone, Default)]
pub struct DeviceForms(Arc<Mutex<Vec<Box<dyn Any + Send + Sync>>>>);

impl DeviceForms {
    /// The form of type `T` for which `is_wanted` holds; made now, if there is none.
    pub fn get<T: Clone + Send + Sync + 'static>(
        &self,
        is_wanted: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> T {
        // A panic in `make` leaves the list as it was, which is a valid state.
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_type = forms.iter().filter_map(|form| form.downcast_ref::<T>());
        if let Some(form) = of_type.find(|form| is_wanted(form)) {
            return form.clone();
        }
        let form = make();
        forms.push(Box::new(form.clone()));
        form
    }

    /// How many forms there are.
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
